"""The gallery finds images, opens them, keeps its state in the address, and collects marks."""

import csv
import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Open
from tests.browser.records import CLASS, HOSTILE, LONG, NAMES, TURNED, images, record
from twincam.files.reviews import read_reviews
from twincam.pages.explanation import GALLERY_PAGE, gallery_json, gallery_page
from twincam.pages.rendering import render


@pytest.fixture
def page(open_page: Open, gallery: Path) -> Page:
    return open_page(gallery)


def settle(page: Page) -> None:
    """Wait until events have been handled and two frames drawn."""
    frames = "requestAnimationFrame(() => requestAnimationFrame(done))"
    page.evaluate(f"() => new Promise((done) => setTimeout(() => {frames}, 50))")


def keys(page: Page) -> list[str]:
    """Return the keys of the images shown, in their order."""
    settle(page)
    found: list[str] = page.locator(".thumb").evaluate_all("all => all.map((t) => t.dataset.key)")
    return found


def count(page: Page) -> int:
    """Return how many images are chosen."""
    settle(page)
    return int(page.get_by_role("status").inner_text().split()[0])


def detail(page: Page) -> Locator:
    return page.get_by_role("dialog")


def test_wrong_ones_come_first_and_more_on_demand(page: Page) -> None:
    assert keys(page)[:6] == ["v0", "v10", "v20", "v30", "v40", "v50"]
    assert len(keys(page)) == 42
    page.get_by_role("button", name="Show 18 more").click()
    assert len(keys(page)) == 60
    assert len(set(keys(page))) == 60
    expect(page.get_by_role("button", name="more", exact=False)).to_have_count(0)
    expect(page.locator(".thumb").nth(42)).to_be_focused()


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ({"show": "wrong"}, 6),
        ({"show": "unsure"}, 10),
        ({"show": "right"}, 54),
        ({"show": "sure"}, 50),
        ({"class": CLASS}, 30),
        ({"predicted": "real"}, 36),
        ({"source": "source 1"}, 20),
        ({"flips": "yes"}, 10),
        ({"flips": "JPEG 40"}, 10),
        ({"disagree": "some"}, 30),
        ({"disagree": "most"}, 0),
        ({"novelty": "unlike"}, 3),
        ({"prototype": "1"}, 30),
        ({"find": "CAT-00"}, 10),
        ({"find": "source 2"}, 20),
        ({"find": "T2.png"}, 60),
        ({"from": "90"}, 12),
        ({"from": "90", "to": "95"}, 7),
        ({"show": "wrong", "source": "source 1"}, 2),
    ],
)
def test_filters(page: Page, chosen: dict[str, str], expected: int) -> None:
    page.get_by_text("More filters").click()
    for name, value in chosen.items():
        control = page.locator(f"[data-filter={name}]")
        if name == "show":
            page.locator(f"[data-show={value}]").click()
        elif control.evaluate("control => control.localName") == "select":
            control.select_option(value)
        else:
            control.fill(value)
    assert count(page) == expected
    page.get_by_role("button", name="Clear the filters").click()
    assert count(page) == 60


def test_orders(page: Page) -> None:
    sort = page.get_by_label("Sort")
    sort.select_option("least confident first")
    assert keys(page)[:2] == ["v59", "v58"]
    sort.select_option("most confident first")
    assert keys(page)[:2] == ["v0", "v1"]
    sort.select_option("neighbours disagree most")
    assert keys(page)[:2] == ["v1", "v3"]
    sort.select_option("by name")
    assert keys(page)[:2] == ["v0", "v3"]


def test_the_address_holds_what_is_chosen(page: Page, open_page: Open, gallery: Path) -> None:
    page.locator("[data-show=unsure]").click()
    page.get_by_label("Sort").select_option("least confident first")
    page.get_by_label("Search").fill("cat")
    page.locator(".thumb").nth(1).click()
    again = open_page(gallery, "#" + page.url.partition("#")[2])
    assert keys(again) == keys(page) == [f"v{n}" for n in range(54, 0, -6)]
    expect(detail(again)).to_be_visible()
    expect(again.locator("#detail-title")).to_have_text(NAMES[48])
    expect(again.get_by_label("Search")).to_have_value("cat")


def test_back_closes_the_image_and_keeps_the_filter(page: Page) -> None:
    page.locator("[data-show=wrong]").click()
    page.locator(".thumb").nth(1).click()
    expect(detail(page)).to_be_visible()
    page.go_back()
    expect(detail(page)).to_be_hidden()
    assert count(page) == 6


def test_an_unknown_image_in_the_address_opens_nothing(open_page: Open, gallery: Path) -> None:
    page = open_page(gallery, "#image=gone&sort=unknown&show=nothing")
    expect(detail(page)).to_be_hidden()
    assert count(page) == 60


def test_it_works_by_keyboard_alone(page: Page) -> None:
    page.keyboard.press("/")
    page.keyboard.type("cat")
    expect(page.get_by_label("Search")).to_be_focused()
    assert count(page) == 57
    page.keyboard.press("Escape")
    assert count(page) == 60
    page.locator(".thumb").first.focus()
    for key in ("ArrowRight", "ArrowDown", "ArrowUp", "ArrowRight", "ArrowLeft", "Enter"):
        page.keyboard.press(key)
    expect(page.locator("#detail-title")).to_have_text(NAMES[10])
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#detail-title")).to_have_text(NAMES[20])
    page.keyboard.press("Escape")
    expect(detail(page)).to_be_hidden()
    expect(page.locator(".thumb[data-key=v20]")).to_be_focused()
    page.wait_for_function("!location.hash.includes('image')")


def test_arrows_on_the_slider_move_the_slider(page: Page) -> None:
    page.locator(".thumb").first.click()
    page.get_by_label("Strength of the heat map").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#detail-title")).to_have_text(NAMES[0])
    expect(page.get_by_label("Strength of the heat map")).to_have_value("76")


@pytest.mark.parametrize("name", [HOSTILE, LONG, TURNED])
def test_names_are_text_and_set_apart(open_page: Open, gallery: Path, name: str) -> None:
    page = open_page(gallery, f"#image=v{NAMES.index(name)}", width=390)
    assert page.locator("#detail-title").text_content() == name
    assert page.locator("#detail-title bdi").count() == 1
    assert page.locator("main img[src=x]").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.locator("dialog").evaluate("dialog => dialog.scrollWidth") <= 390


def test_marks_survive_a_reload_and_download_as_a_table(page: Page, tmp_path: Path) -> None:
    page.locator(".thumb[data-key=v0]").click()
    expect(page.get_by_label("Right label")).to_be_hidden()
    page.get_by_role("button", name="Wrong label", exact=True).click()
    page.get_by_label("Note").fill('a "note", with\na comma')
    page.get_by_label("Right label").select_option("other")
    page.get_by_role("button", name="Next image").click()
    page.get_by_role("button", name="Wrong label", exact=True).click()
    page.get_by_label("Right label").select_option("other")
    page.get_by_role("button", name="Duplicate", exact=True).click()
    expect(page.get_by_label("Right label")).to_be_hidden()
    page.get_by_role("button", name="Next image").click()
    page.get_by_role("button", name="Not fit to use", exact=True).click()
    page.get_by_role("button", name="Not fit to use", exact=True).click()
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_be_hidden()
    expect(page).not_to_have_url(re.compile("image="))
    page.reload()
    page.get_by_text("More filters").click()
    page.get_by_label("Marked by you").select_option("only these")
    assert keys(page) == ["v0", "v10"]
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download reviews.csv (2 marked)").click()
    assert waiting.value.suggested_filename == "reviews.csv"
    waiting.value.save_as(tmp_path / "reviews.csv")
    with (tmp_path / "reviews.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows == [
        ["path", "mark", "note", "label"],
        [HOSTILE, "mislabelled", 'a "note", with a comma', "other"],
        [NAMES[10], "duplicate", "", ""],
    ]


def test_marks_that_the_run_has_honoured_stay_in_the_table(open_page: Open, tmp_path: Path) -> None:
    file = tmp_path / "index.html"
    reviews = [
        {"path": NAMES[1], "mark": "mislabelled", "note": "", "label": "other", "done": "label …"},
        {"path": "real/gone.png", "mark": "unfit", "note": "a dog", "label": "", "done": "left …"},
    ]
    gallery = gallery_json([record(n) for n in range(3)], "3 images.", "", reviews)
    context = {"title": "A run", "gallery": gallery, "images": images(3)}
    file.write_text(render(GALLERY_PAGE, context))
    page = open_page(file, "#image=v1")
    expect(page.get_by_label("Right label")).to_have_value("other")
    page.get_by_role("button", name="Wrong label", exact=True).click()
    page.keyboard.press("Escape")
    page.locator(".thumb[data-key=v0]").click()
    page.get_by_role("button", name="Duplicate", exact=True).click()
    page.keyboard.press("Escape")
    expect(page.locator(".reviews")).to_contain_text("includes the 2 already applied in this run")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download reviews.csv (2 marked)").click()
    waiting.value.save_as(tmp_path / "reviews.csv")
    assert read_reviews(tmp_path).values.tolist() == [
        ["real/gone.png", "unfit", "a dog", ""],
        [HOSTILE, "duplicate", "", ""],
    ]


def test_marks_of_another_run_at_this_address_are_left_alone(page: Page) -> None:
    stored = '[["real/elsewhere.png", {"mark": "unfit", "note": "", "label": ""}]]'
    page.evaluate("(text) => localStorage[`twincam-reviews:${location.pathname}`] = text", stored)
    page.reload()
    expect(page.locator(".reviews")).to_be_hidden()
    page.locator(".thumb[data-key=v0]").click()
    page.get_by_role("button", name="Duplicate", exact=True).click()
    kept = page.evaluate("() => localStorage[`twincam-reviews:${location.pathname}`]")
    assert "elsewhere" in kept
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Download reviews.csv (1 marked)")).to_be_visible()


def test_two_tabs_keep_each_others_marks(page: Page) -> None:
    other = page.context.new_page()
    other.goto(page.url)
    for tab, key in ((page, "v0"), (other, "v10")):
        tab.locator(f".thumb[data-key={key}]").click()
        tab.get_by_role("button", name="Duplicate", exact=True).click()
        tab.keyboard.press("Escape")
    page.reload()
    expect(page.get_by_role("button", name="Download reviews.csv (2 marked)")).to_be_visible()


def test_a_mark_whose_row_is_removed_after_a_run_does_not_come_back(
    open_page: Open, tmp_path: Path
) -> None:
    file = tmp_path / "index.html"
    mark = {"path": NAMES[1], "mark": "unfit", "note": "", "label": "", "done": "left out"}

    def write(*reviews: dict[str, str]) -> None:
        gallery = gallery_json([record(n) for n in range(3)], "3 images.", "", list(reviews))
        context = {"title": "A run", "gallery": gallery, "images": images(3)}
        file.write_text(render(GALLERY_PAGE, context))

    write()
    page = open_page(file, "#image=v1")
    page.get_by_role("button", name="Not fit to use", exact=True).click()
    for reviews in ([], [mark]):
        write(*reviews)
        page.reload()
        expect(page.locator(".reviews")).to_contain_text("Download reviews.csv (1 marked)")
    write()
    page.reload()
    expect(page.locator(".thumb")).to_have_count(3)
    expect(page.locator(".reviews")).to_be_hidden()


def test_words_of_javascript_in_the_address_are_no_choice(open_page: Open, gallery: Path) -> None:
    assert len(keys(open_page(gallery, "#sort=constructor&show=toString"))) == 42
    assert count(open_page(gallery, "#disagree=__proto__")) == 0


def test_a_link_to_another_section_keeps_the_filters(page: Page) -> None:
    page.get_by_role("button", name="Wrong", exact=False).first.click()
    assert count(page) == 6
    page.evaluate("location.hash = '#trust'")
    assert count(page) == 6
    page.get_by_role("button", name="Clear the filters").click()
    expect(page.get_by_role("button", name="All 60")).to_be_focused()


def test_a_note_is_kept_when_a_key_closes_the_image(page: Page) -> None:
    page.locator(".thumb[data-key=v0]").click()
    page.get_by_role("button", name="Duplicate", exact=True).click()
    page.get_by_label("Note").press_sequentially("of v1")
    page.keyboard.press("Escape")
    expect(detail(page)).to_be_hidden()
    page.locator(".thumb[data-key=v0]").click()
    expect(page.get_by_label("Note")).to_have_value("of v1")


def test_a_search_that_finds_no_image_finds_those_compared_with_it(page: Page) -> None:
    page.get_by_label("Search").fill("real/t2.png")
    expect(page.get_by_role("status")).to_have_text(
        "60 of 60 images, matched by a training image's file name"
    )
    page.get_by_label("Search").fill("real/cat-010")
    expect(page.get_by_role("status")).to_have_text("1 of 60 images")


def test_without_labels_nothing_is_right_or_wrong(open_page: Open, tmp_path: Path) -> None:
    shown = [{**record(n), "label": None} for n in range(3)]
    file = tmp_path / "index.html"
    file.write_text(gallery_page(shown, images(3), "3 images."))  # type: ignore[arg-type]
    page = open_page(file)
    chips = page.get_by_role("group", name="Show").get_by_role("button")
    assert [chip.inner_text() for chip in chips.all()] == ["All 3", "Unsure 1", "Sure 2"]
