"""The page of a finished run opens without an error, and its links lead to what they promise."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Open
from tests.browser.test_accessible import serious
from twincam.files.tables import read_table


@pytest.fixture
def report(finished: Path) -> Path:
    return finished / "reports" / "index.html"


def test_every_view_opens(open_page: Open, report: Path) -> None:
    page = open_page(report)
    count = len(read_table(report.with_name("predictions.csv")))
    expect(page.get_by_role("status")).to_have_text(f"{count} of {count} images")
    page.locator(".thumb").first.click()
    for n in range(1, count + 1):
        expect(page.locator(".bar .muted")).to_have_text(f"{n} of {count}")
        expect(page.locator(".statement")).not_to_be_empty()
        page.keyboard.press("ArrowRight")


def test_the_wrong_ones_are_one_click_away(open_page: Open, report: Path) -> None:
    page = open_page(report)
    wrong = len(read_table(report.with_name("misclassified.csv")))
    page.get_by_role("link", name="look at them").click()
    expect(page.get_by_role("status")).to_contain_text(f"{wrong} of ")
    assert page.locator(".thumb.wrong").count() == page.locator(".thumb").count()


def test_a_link_unfolds_the_evidence(open_page: Open, report: Path) -> None:
    page = open_page(report)
    expect(page.locator("#trust table").first).to_be_hidden()
    page.get_by_role("link", name="How sure is it").click()
    expect(page.locator("#trust table").first).to_be_visible()
    expect(open_page(report, "#heat").locator("#heat table").first).to_be_visible()


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_no_serious_violation_unfolded(
    open_page: Open, report: Path, width: int, dark: bool
) -> None:
    page = open_page(report, width=width, dark=dark)
    page.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
    assert serious(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
