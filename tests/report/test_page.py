"""The page is one file: it holds every figure and picture and asks for nothing else."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jinja2 import Environment, FileSystemLoader

from stages.report.page import PAGE, panels_of
from twincam.figures.pages import percent
from twincam.files.metrics import read_metrics, spelled
from twincam.files.tables import read_table
from twincam.statistics.estimates import share


@pytest.fixture(scope="module")
def page(finished: Path) -> str:
    return (finished / "reports" / "index.html").read_text()


def test_page_needs_no_other_file(page: str) -> None:
    sources = re.findall(r"""(?:src|href)=["']([^"']*)["']""", page)
    assert sources
    assert all(source.startswith(("data:image/", "#")) for source in sources)
    assert "http" not in page.replace("http-equiv", "")
    assert "url(" not in page


def test_page_shows_the_figures_with_their_intervals(page: str, finished: Path) -> None:
    val = read_metrics(finished / "reports" / "details" / "evaluate.json")["val"]
    for key in ("accuracy", "accuracy_low", "accuracy_high", "balanced_accuracy"):
        assert percent(val[key]) in page


def test_page_shows_every_panel_and_prototype(page: str, finished: Path) -> None:
    reports = finished / "reports"
    prototypes = read_table(reports / "prototypes.csv")
    assert page.count("Prototype sheet") == len(prototypes)
    decisions = reports / "figures" / "prototypes" / "decisions"
    assert page.count("decision patch by patch") == len(list(decisions.iterdir()))
    assert "Terms of the prototype network's loss" in page
    wrong = read_table(reports / "misclassified.csv", ("id",))
    assert page.count("Explanation of a wrong prediction") == len(wrong)
    panels = len(list((reports / "figures" / "panels" / "cases").iterdir()))
    assert page.count("Explanation of a ") == panels
    assert panels >= len(wrong)


def test_links_lead_somewhere(page: str) -> None:
    targets = set(re.findall(r'href="#([^"]+)"', page))
    assert targets <= set(re.findall(r'id="([^"]+)"', page))


def test_panels_come_in_the_order_asked_for(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.png").write_bytes(b"")
    found = panels_of(tmp_path, ["b", "missing", "a"])
    assert [path.stem for path in found] == ["b", "a"]


@pytest.mark.parametrize(
    ("right", "of", "majority", "said"),
    [(38, 41, 38, True), (35, 41, 38, True), (41, 41, 38, True), (38, 41, 21, False)],
)
def test_an_accuracy_that_the_commonest_class_reaches_is_said_to_show_nothing(
    right: int, of: int, majority: int, said: bool
) -> None:
    environment = Environment(loader=FileSystemLoader(PAGE.parent), autoescape=True)
    environment.filters["percent"] = percent
    module: Any = environment.get_template("sections/figures.html").module
    found = {"accuracy": share(np.arange(of) < right), "majority_share": majority / of}
    text = module.not_above(spelled(found), "val").strip()
    assert bool(text) == said
    assert not said or percent(majority / of) in text


def test_percent() -> None:
    assert percent(0.93333) == "93.3 %"
    assert percent(None) == "–"
