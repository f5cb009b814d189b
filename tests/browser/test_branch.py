"""The page of a branch shows an image under both models, with a slider between their heat maps."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Open
from tests.browser.records import HOSTILE, images, record
from tests.browser.test_accessible import serious
from twincam.pages.explanation import Explanation, safe_json
from twincam.pages.rendering import render
from twincam.sharing.branch import TEMPLATES, Side

BASE = "</script><b>main"


def page_of(before: Explanation, after: Explanation) -> str:
    row = SimpleNamespace(
        path=HOSTILE,
        label="fake",
        changed=False,
        predicted_after="fake",
        confidence_before=0.5,
        confidence_after=0.9,
    )
    pictures = {
        f"{run} {key}": uri for run in ("before", "after") for key, uri in images(1).items()
    }
    context: dict[str, Any] = {
        "base": BASE,
        "commit": "0123456789",
        "params": [],
        "headlines": [],
        "paired": [],
        "rows": [row],
        "changed_count": 0,
        "only_before": 0,
        "only_after": 0,
        "neighbours_in_common": 0.5,
        "sides": [Side(row, 0.5, before, after)],
        "images": pictures,
        "records": safe_json([[before, after]]),
        "plots": {},
        "vega": "",
    }
    return render(TEMPLATES / "branch.html", context)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    other = record(0) | {"margin": 0.25}
    path = tmp_path / "index.html"
    path.write_text(page_of(record(0), other), encoding="utf-8")
    return path


@pytest.fixture
def page(open_page: Open, file: Path) -> Page:
    return open_page(file)


def test_both_views_stand_side_by_side(page: Page) -> None:
    views = page.locator(".compared .explanation")
    expect(views).to_have_count(2)
    expect(views.nth(0)).to_contain_text("1.5")
    expect(views.nth(1)).to_contain_text("0.25")
    expect(page.locator("h4").first).to_have_text(BASE)
    assert page.locator("main b, main img[src=x]").count() == 0
    first, second = (view.bounding_box() for view in views.all())
    assert first and second
    assert first["y"] == second["y"]


def test_a_slider_divides_the_heat_maps(page: Page) -> None:
    left, right = page.locator(".between canvas").all()
    clip = "canvas => canvas.style.clipPath"
    slider = page.get_by_label(f"Heat map of {BASE} on the left, of now on the right")
    slider.fill("25")
    assert left.evaluate(clip) == "inset(0px 75% 0px 0px)"
    assert right.evaluate(clip) == "inset(0px 0px 0px 25%)"
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert right.evaluate(clip) == "inset(0px 0px 0px 26%)"


def test_without_heat_there_is_no_slider(open_page: Open, tmp_path: Path) -> None:
    path = tmp_path / "index.html"
    path.write_text(page_of(record(0), record(0) | {"heat": []}), encoding="utf-8")
    page = open_page(path)
    expect(page.locator(".compared .explanation")).to_have_count(2)
    assert page.locator(".between").count() == 0


def test_no_serious_violation_and_it_fits_a_phone(open_page: Open, file: Path) -> None:
    assert serious(open_page(file)) == []
    page = open_page(file, width=390, dark=True)
    assert serious(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
