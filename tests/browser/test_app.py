"""The app in a browser: pictures by every way, compared, reviewed; it asks only its own server."""

import base64
import csv
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.conftest import PATIENCE, Open
from tests.browser.test_accessible import serious
from tests.server.fake import picture
from tests.server.served import served
from twincam.files.reviews import read_reviews
from twincam.server.project import Known, Project

HOSTILE = "<img src=x onerror=alert(1)>.png"
KNOWN = picture(50)
NONE = Project({}, None)

DROP = """(target, files) => {
  const transfer = new DataTransfer();
  for (const [name, content] of files) {
    const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
    transfer.items.add(new File([bytes], name));
  }
  const kind = target === document.body ? "paste" : "drop";
  const options = { bubbles: true, cancelable: true };
  target.dispatchEvent(kind === "paste"
    ? new ClipboardEvent(kind, { ...options, clipboardData: transfer })
    : new DragEvent(kind, { ...options, dataTransfer: transfer }));
}"""
"""Drops files on an element; on the body it pastes them."""

CAMERA = """navigator.mediaDevices.getUserMedia = async () => {
  const canvas = document.createElement("canvas");
  canvas.width = 64; canvas.height = 48;
  canvas.getContext("2d").fillRect(0, 0, 9, 9);
  return canvas.captureStream(5);
};"""
"""A camera that shows a drawing of 64 by 48 pixels."""


@pytest.fixture(scope="session")
def url() -> Iterator[str]:
    with served(NONE) as address:
        yield address


@pytest.fixture
def page(open_page: Open, url: str) -> Page:
    return open_page(url)


def choose(page: Page, *files: tuple[str, bytes]) -> None:
    payload: Any = [
        {"name": name, "mimeType": "image/png", "buffer": content} for name, content in files
    ]
    page.locator("#files").set_input_files(payload)


def encoded(*files: tuple[str, bytes]) -> list[list[str]]:
    return [[name, base64.b64encode(content).decode()] for name, content in files]


def cards(page: Page) -> Locator:
    return page.locator("#list .thumb")


def shown(page: Page) -> Locator:
    return page.locator("#shown .explanation")


def test_a_chosen_picture_is_shown_at_once(page: Page) -> None:
    choose(page, ("cat.png", picture(40)))
    expect(shown(page).locator(".statement")).to_have_text("40 by 32")
    expect(shown(page).locator("h2")).to_have_text("cat.png")
    expect(shown(page).locator("canvas.heat")).to_be_visible()
    expect(page.get_by_role("status").first).to_have_text("1 in this tab")


def test_a_picture_is_dropped_or_pasted(page: Page) -> None:
    page.locator("#drop").evaluate(DROP, encoded(("dropped.png", picture(41))))
    expect(shown(page).locator(".statement")).to_have_text("41 by 32")
    page.locator("body").evaluate(DROP, encoded(("image.png", picture(42))))
    expect(shown(page).locator(".statement")).to_have_text("42 by 32")
    expect(cards(page)).to_have_count(2)


def test_a_picture_is_taken_with_the_camera(page: Page) -> None:
    page.evaluate(CAMERA)
    page.get_by_role("button", name="Use the camera").click()
    page.get_by_role("button", name="Take a photo").click()
    expect(shown(page).locator(".statement")).to_have_text("64 by 48")
    expect(page.locator("#viewfinder")).to_be_hidden()


def test_a_folder_keeps_its_paths(page: Page, tmp_path: Path) -> None:
    for name in ("real/a.png", "real/.hidden.png", "fake/b.png"):
        (tmp_path / "cats" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "cats" / name).write_bytes(picture())
    page.locator("#folder").set_input_files(tmp_path / "cats")
    expect(cards(page)).to_have_count(2)
    titles = [card.get_attribute("title") for card in cards(page).all()]
    assert sorted(map(str, titles)) == ["cats/fake/b.png", "cats/real/a.png"]


def test_names_are_text(page: Page) -> None:
    choose(page, (HOSTILE, picture()))
    expect(shown(page).locator("h2")).to_have_text(HOSTILE)
    choose(page, (HOSTILE, b"no picture"))
    expect(page.locator("#failures")).to_contain_text(f"{HOSTILE}: not a JPEG")
    assert page.locator("img[src=x]").count() == 0


def test_what_cannot_be_explained_is_said_and_the_rest_goes_on(page: Page) -> None:
    files = [
        ("text.jpg", b"a text"),
        ("large.png", b"x" * 2_000_001),
        ("wide.png", picture(4000, 300)),
    ]
    choose(page, *files, *((f"{n}.png", picture(60 + n)) for n in range(10)))
    expect(cards(page)).to_have_count(10)
    failures = page.locator("#failures li")
    expect(failures).to_have_count(3)
    said = "\n".join(failures.all_inner_texts())
    assert "text.jpg: not a JPEG" in said
    assert "large.png: larger than 2,000,000 bytes" in said
    assert "wide.png: 4000×300 pixels, more than 1,000,000" in said
    expect(page.get_by_role("status").first).to_have_text(
        "10 in this tab, 3 could not be explained"
    )


def test_verdicts_are_a_table(page: Page, tmp_path: Path) -> None:
    choose(page, ("=a,b.png", picture()), ("c.png", picture()))
    expect(cards(page)).to_have_count(2)
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download verdicts.csv (2)").click()
    assert waiting.value.suggested_filename == "verdicts.csv"
    waiting.value.save_as(tmp_path / "verdicts.csv")
    with (tmp_path / "verdicts.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert sorted(row["name"] for row in rows) == ["./=a,b.png", "c.png"]
    assert {row["predicted"] for row in rows} == {"real"}


def test_pictures_side_by_side(page: Page) -> None:
    choose(page, *((f"{n}.png", picture(60 + n)) for n in range(3)))
    expect(cards(page)).to_have_count(3)
    compare = page.get_by_role("button", name="Compare the selected images")
    expect(compare).to_be_disabled()
    for name in ("0.png", "2.png"):
        page.get_by_label(f"Compare {name}").check()
    compare.click()
    expect(shown(page)).to_have_count(2)
    first, second = (view.bounding_box() for view in shown(page).all())
    assert first and second
    assert first["y"] == second["y"]
    assert first["x"] + first["width"] <= second["x"]
    shown(page).first.get_by_role("button", name="Close").click()
    expect(shown(page)).to_have_count(1)


def test_a_reload_forgets_everything(page: Page) -> None:
    choose(page, ("cat.png", picture()))
    expect(cards(page)).to_have_count(1)
    page.reload()
    expect(page.locator("#history")).to_be_hidden()
    kept = "[localStorage.length, sessionStorage.length, document.cookie.length]"
    assert page.evaluate(kept) == [0, 0, 0]


def test_all_can_be_removed(page: Page) -> None:
    choose(page, ("cat.png", picture()), ("text.png", b"x"))
    expect(page.locator("#failures li")).to_have_count(1)
    page.get_by_role("button", name="Remove all").click()
    expect(page.locator("#history")).to_be_hidden()
    expect(page.locator("#failures li")).to_have_count(0)


def test_what_is_removed_while_it_waits_does_not_come_back(page: Page) -> None:
    choose(page, *((f"{n}.png", picture(13, 20 + n)) for n in range(6)))
    expect(cards(page)).not_to_have_count(0)
    page.get_by_role("button", name="Remove all").click()
    page.wait_for_timeout(1500)
    expect(cards(page)).to_have_count(0)
    choose(page, ("cat.png", picture(40)))
    expect(cards(page)).to_have_count(1)


def test_the_focus_stays_on_a_card_while_others_arrive(page: Page) -> None:
    choose(page, *((f"{n}.png", picture(13, 20 + n)) for n in range(4)))
    expect(cards(page)).not_to_have_count(0)
    key = cards(page).last.get_attribute("data-key")
    cards(page).last.focus()
    expect(cards(page)).to_have_count(4)
    assert page.evaluate("document.activeElement.dataset.key") == key


def test_an_answer_that_is_no_json_stops_no_later_mark(open_page: Open, tmp_path: Path) -> None:
    known = Known("real/1.png", "real", "val", "real")
    with served(Project({hashlib.sha256(KNOWN).hexdigest(): known}, tmp_path)) as address:
        page = open_page(address)
        choose(page, ("copy.png", KNOWN))
        page.route("**/reviews", lambda route: route.fulfill(status=500, body="no JSON"))
        page.get_by_role("button", name="Duplicate").click()
        expect(page.get_by_text("Not written: the app failed (status 500)")).to_be_visible()
        page.unroute("**/reviews")
        page.get_by_role("button", name="Not fit to use").click()
        expect(page.get_by_text("Written to reviews.csv")).to_be_visible()


def test_marks_download_as_a_table(page: Page, tmp_path: Path) -> None:
    choose(page, ("# cat.png", picture()))
    expect(page.get_by_label("Right label")).to_be_hidden()
    shown(page).get_by_role("button", name="Wrong label").click()
    page.get_by_label("Right label").select_option("fake")
    shown(page).get_by_role("button", name="Not fit to use").click()
    expect(page.get_by_label("Right label")).to_be_hidden()
    shown(page).get_by_label("Note").fill("no cat")
    shown(page).get_by_label("Note").press("Tab")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download reviews.csv (1 marked)").click()
    waiting.value.save_as(tmp_path / "reviews.csv")
    assert read_reviews(tmp_path).values.tolist() == [["# cat.png", "unfit", "no cat", ""]]


def test_marks_are_written_to_the_project(open_page: Open, tmp_path: Path) -> None:
    known = Known("real/1.png", "real", "val", "real")
    other = Known("fake/1.png", "fake", "train", "fake")
    digest = hashlib.sha256(KNOWN).hexdigest()
    with served(Project({digest: known, "x": other}, tmp_path)) as address:
        page = open_page(address)
        choose(page, ("stranger.png", picture()))
        expect(shown(page)).to_have_count(1)
        assert page.locator(".review").count() == 0
        choose(page, ("copy.png", KNOWN))
        expect(shown(page).locator(".facts")).to_contain_text("Labelled real")
        page.get_by_role("button", name="Wrong label").click()
        expect(page.get_by_text("Written to reviews.csv")).to_be_visible()
        page.get_by_label("Right label").select_option("fake")
        page.get_by_label("Note").fill("a render")
        page.get_by_label("Note").press("Tab")
        rows = [["real/1.png", "mislabelled", "a render", "fake"]]
        for _ in range(PATIENCE // 100):
            if read_reviews(tmp_path).values.tolist() == rows:
                break
            page.wait_for_timeout(100)
        assert read_reviews(tmp_path).values.tolist() == rows
        page.reload()
        choose(page, ("copy.png", KNOWN))
        expect(page.get_by_label("Right label")).to_have_value("fake")
        page.get_by_role("button", name="Wrong label", exact=True).click()
        expect(page.get_by_text("Not marked in reviews.csv")).to_be_visible()
        assert read_reviews(tmp_path).empty


def test_it_works_by_keyboard_alone(page: Page) -> None:
    chosen: Any = [
        {"name": f"{n}.png", "mimeType": "image/png", "buffer": picture(70 + n)} for n in range(2)
    ]
    page.on("filechooser", lambda chooser: chooser.set_files(chosen))
    expect(page.get_by_role("heading").first).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.locator("#files")).to_be_focused()
    page.keyboard.press("Enter")
    expect(cards(page)).to_have_count(2)
    cards(page).first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(shown(page).locator("h2")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(shown(page)).to_have_count(0)


def test_a_page_of_another_origin_gets_nothing(browser: Browser, url: str) -> None:
    context = browser.new_context()
    page = context.new_page()
    asked = "url => fetch(url, { method: 'POST', body: 'x' }).then(() => 'read', () => 'refused')"
    assert page.evaluate(asked, f"{url}explain") == "refused"
    shown_in = f"<iframe src='{url}'></iframe>"
    page.set_content(shown_in)
    page.wait_for_timeout(300)
    assert "What does the model see" not in str([frame.content() for frame in page.frames])
    context.close()


@pytest.mark.parametrize("dark", [False, True])
def test_no_serious_violation(open_page: Open, url: str, dark: bool) -> None:
    page = open_page(url, dark=dark)
    assert serious(page) == []
    choose(page, ("cat.png", picture()), ("text.png", b"x"))
    expect(page.locator("#failures li")).to_have_count(1)
    cards(page).first.click()
    expect(shown(page)).to_have_count(1)
    assert serious(page) == []


def test_it_fits_a_phone(open_page: Open, url: str) -> None:
    page = open_page(url, width=390)
    choose(page, *((f"{'n' * 80}{n}.png", picture(60 + n)) for n in range(2)))
    expect(cards(page)).to_have_count(2)
    for tick in page.get_by_role("checkbox", name="Compare").all():
        tick.check()
    page.get_by_role("button", name="Compare the selected images").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
