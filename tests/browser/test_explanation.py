"""The detail view shows every part of a record, as text, and reacts to pointer and keys."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Open
from tests.browser.records import CLASS, NAMES, TRAINING


@pytest.fixture
def page(open_page: Open, explanation: Path) -> Page:
    return open_page(explanation)


def pixels(page: Page) -> str:
    drawn = page.locator("canvas.heat").first.evaluate("canvas => canvas.toDataURL()")
    return str(drawn)


def test_a_part_that_a_record_lacks_is_left_out(page: Page) -> None:
    full, bare = page.locator(".explanation").all()
    assert full.locator("section").count() == 5
    assert bare.locator("section").count() == 0
    expect(bare.locator(".verdict")).not_to_contain_text("Labelled")


def test_training_images_are_named_by_their_paths(page: Page) -> None:
    shown = page.locator(".explanation").first
    assert shown.locator(".tile .path").all_text_contents() == [
        *(TRAINING, "real/t2.png") * 2,
        TRAINING,
    ]
    assert shown.locator("figcaption .path").text_content() == TRAINING
    assert shown.locator(".sum .path").first.text_content() == TRAINING


def test_deliveries_and_traces(page: Page) -> None:
    page.get_by_text("Re-saved, scaled or cropped: 1 of 2 changes the prediction").click()
    rows = page.locator(".deliveries tbody tr")
    expect(rows.nth(0)).to_have_text(f"JPEG 75{CLASS}+1.25")
    expect(rows.nth(1)).to_have_class("flipped")
    expect(page.get_by_text("Traces of a generator in its finest detail").first).to_contain_text(
        "a score of 0.625 (threshold 0.500)"
    )


def test_names_are_text(page: Page) -> None:
    assert page.locator("h2").all_text_contents() == NAMES[:2]
    label = page.locator(".facts li").first
    expect(label).to_have_text(f"Labelled {CLASS}: the prediction is wrong")
    assert page.locator("main b").count() == 0


def test_a_remark_names_the_class_that_the_heat_is_for(page: Page) -> None:
    expect(page.locator(".verdict .why")).to_have_text([f"As it is, it is {CLASS}."])
    expect(page.locator(".heated figcaption").first).to_contain_text(f"evidence for {CLASS}")


def test_heat_has_a_strength_a_method_and_a_range(page: Page) -> None:
    opacity = "element => getComputedStyle(element).opacity"
    page.get_by_label("Strength of the heat map").fill("20")
    assert page.locator("canvas.heat").first.evaluate(opacity) == "0.2"
    seen = {pixels(page)}
    page.get_by_label("Stretch the colours to this image").check()
    seen.add(pixels(page))
    page.get_by_label("Method of the heat map").select_option("layercam")
    seen.add(pixels(page))
    assert len(seen) == 3


def test_heat_is_orange_for_and_blue_against(page: Page) -> None:
    at = """(canvas, place) =>
      [...canvas.getContext("2d").getImageData(place, place, 1, 1).data.slice(0, 3)]"""
    page.get_by_label("Stretch the colours to this image").check()
    canvas = page.locator("canvas.heat").first
    assert canvas.evaluate(at, 0) == pytest.approx([60, 76, 170], abs=2)
    assert canvas.evaluate(at, 111) == pytest.approx([230, 97, 1], abs=2)


def test_a_twin_shows_what_it_shares_on_hover_and_on_focus(page: Page) -> None:
    own, twin = pixels(page), page.locator(".tile button").first
    caption = page.locator(".heated figcaption").first
    twin.hover()
    assert pixels(page) != own
    expect(caption).to_contain_text("add up to the similarity, 0.900")
    page.mouse.move(0, 0)
    assert pixels(page) == own
    twin.focus()
    assert pixels(page) != own
    page.keyboard.press("Tab")
    assert pixels(page) == own
    twin.click()
    shared = pixels(page)
    page.mouse.move(0, 0)
    assert pixels(page) == shared, "a click keeps it shown"
    assert page.locator(".tile button").count() == 1, "a twin without a map does nothing"


def test_cells_lie_where_the_record_says(page: Page) -> None:
    first, last = (cell.bounding_box() for cell in page.locator(".cell").all())
    stack = page.locator(".side-by-side .stack").bounding_box()
    assert first and last and stack
    assert (first["x"], first["y"]) == pytest.approx((stack["x"], stack["y"]), abs=1)
    right, bottom = last["x"] + last["width"], last["y"] + last["height"]
    assert right == pytest.approx(stack["x"] + stack["width"], abs=1)
    assert bottom == pytest.approx(stack["y"] + stack["height"], abs=1)


def test_points_add_up_to_the_score(page: Page) -> None:
    numbers = page.locator(".sum").first.locator(".number").all_text_contents()
    *parts, score = (float(text.replace("−", "-")) for text in numbers)
    assert parts == [3.0, 1.0, 0.5]
    assert score == pytest.approx(sum(parts))


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_wider_than_the_screen(open_page: Open, explanation: Path, width: int) -> None:
    page = open_page(explanation, width=width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
