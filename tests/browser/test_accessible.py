"""axe-core finds no serious violation, in light and dark, and the page fits a phone."""

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.browser.conftest import Open


def serious(page: Page) -> list[str]:
    """Return what axe-core finds that is serious or critical."""
    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {node['html'][:120]}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


@pytest.mark.parametrize("dark", [False, True])
def test_no_serious_violation(
    open_page: Open, gallery: Path, explanation: Path, dark: bool
) -> None:
    page = open_page(gallery, dark=dark)
    page.get_by_text("More filters").click()
    assert serious(page) == []
    assert serious(open_page(gallery, "#image=v0", dark=dark)) == []
    page = open_page(explanation, dark=dark)
    page.get_by_text("Sum for").first.click()
    assert serious(page) == []


def test_the_gallery_fits_a_phone(open_page: Open, gallery: Path) -> None:
    page = open_page(gallery, width=390)
    page.get_by_text("More filters").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
