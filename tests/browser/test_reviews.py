"""Marks made in a browser become reviews.csv, and the next `dvc repro` honours them."""

from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.conftest import Open
from tests.browser.test_app import choose
from tests.conftest import change_params, run_in
from tests.server.served import served
from twincam.files.metrics import read_metrics
from twincam.files.tables import read_split
from twincam.server.project import read_project

ROOT = Path("data/synthetic/images")


def mark(page: Page, path: str, button: str, note: str = "", label: str = "") -> None:
    """Mark the image ``path`` in the gallery."""
    page.locator(f'.thumb[title="{path}"]').click()
    page.get_by_role("button", name=button, exact=True).click()
    page.get_by_label("Note").fill(note)
    if label:
        page.get_by_label("Right label").select_option(label)
    page.get_by_role("button", name="Close").click()


def test_marks_of_the_gallery_and_the_app_are_honoured_by_the_next_repro(
    open_page: Open, project: Path
) -> None:
    info = project / "data/info"
    info.mkdir()
    change_params(project, {"data": {"info": "data/info"}})
    before = read_split(project / "data/split.csv")
    evaluated = before[before["split"] == "val"].groupby("label")["path"].apply(list)
    (render, copy), (blurred, no_cat) = evaluated["fake"][:2], evaluated["real"][:2]

    page = open_page(project / "reports/index.html")
    mark(page, blurred, "Wrong label", "a render", "fake")
    mark(page, render, "Wrong label")
    mark(page, copy, "Duplicate", "twice, alas")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download reviews.csv (3 marked)").click()
    waiting.value.save_as(info / "reviews.csv")

    with served(read_project(project, reviews=True)) as address:
        app = open_page(address)
        choose(app, ("a file of any name.png", (project / ROOT / no_cat).read_bytes()))
        app.get_by_role("button", name="Not fit to use").click()
        expect(app.get_by_text("Written to reviews.csv")).to_be_visible()

    run_in(project, "dvc", "repro", "split")
    reviewed = read_metrics(project / "reports/details/split.json")["reviewed"]
    assert {one["path"]: (one["mark"], one["note"], one["done"]) for one in reviewed} == {
        blurred: ("mislabelled", "a render", "label real changed to fake"),
        render: ("mislabelled", "", "left out"),
        copy: ("duplicate", "twice, alas", "left out"),
        no_cat: ("unfit", "", "left out"),
    }
    after = read_split(project / "data/split.csv").set_index("path")
    assert set(before["path"]) - set(after.index) == {render, copy, no_cat}
    assert after.loc[blurred, "label"] == "fake"
