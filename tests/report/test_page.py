"""The page is one file: it contains every figure and picture and loads nothing else."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jinja2 import Environment, FileSystemLoader

from stages.report.page import PAGE, panels_of
from tests.conftest import run_in
from twincam.figures.text import percent
from twincam.files.metrics import read_metrics, spelled
from twincam.files.tables import read_table
from twincam.pages.rendering import render
from twincam.statistics.estimates import share


@pytest.fixture(scope="module")
def page(finished: Path) -> str:
    return (finished / "reports" / "index.html").read_text()


def test_page_needs_no_other_file(page: str) -> None:
    sources = re.findall(r"""(?:src|href)=["']([^"']*)["']""", page)
    assert sources
    assert all(source.startswith(("data:image/", "#")) for source in sources)
    assert "http" not in page.replace("http-equiv", "")
    assert set(re.findall(r"url\(.{3}", page)) == {'url("${'}


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


def test_links_have_targets(page: str) -> None:
    targets = set(re.findall(r'href="#([^"=]+)"', page))
    assert targets <= set(re.findall(r'id="([^"]+)"', page))


def test_panels_keep_the_requested_order(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.png").write_bytes(b"")
    found = panels_of(tmp_path, ["b", "missing", "a"])
    assert [path.stem for path in found] == ["b", "a"]


@pytest.mark.parametrize(
    ("stage", "change"),
    [
        ("evaluate", lambda found: found["val"].update(unsure={"n": 9, "skipped": "no scores"})),
        ("prototypes", lambda found: found["decisions"].pop("wrong", None)),
        ("prototypes", lambda found: found["decisions"].pop("correct", None)),
        ("explain", lambda found: [one.pop("by_family") for one in found["heatmaps"].values()]),
    ],
    ids=["not cross-validated", "no wrong decision", "no correct decision", "masks alone"],
)
def test_a_run_that_lacks_a_part_has_a_page(
    stage: str, change: Callable[[Any], object], project: Path
) -> None:
    details = project / "reports" / "details" / f"{stage}.json"
    found = read_metrics(details)
    change(found)
    details.write_text(json.dumps(found))
    (project / "reports" / "index.html").unlink()
    run_in(project, "dvc", "repro", "--quiet", "--single-item", "--force", "report")
    assert "TwinCAM report" in (project / "reports" / "index.html").read_text()


@pytest.mark.parametrize(
    ("right", "of", "majority", "noted"),
    [(38, 41, 38, True), (35, 41, 38, True), (41, 41, 38, True), (38, 41, 21, False)],
)
def test_an_accuracy_not_above_the_majority_class_is_noted(
    right: int, of: int, majority: int, noted: bool
) -> None:
    environment = Environment(loader=FileSystemLoader(PAGE.parent), autoescape=True)
    environment.filters["percent"] = percent
    module: Any = environment.get_template("sections/figures.html").module
    found = {"accuracy": share(np.arange(of) < right), "majority_share": majority / of}
    text = module.not_above(spelled(found), "val").strip()
    assert bool(text) == noted
    assert not noted or percent(majority / of) in text


def test_the_part_on_the_data_lists_what_people_marked() -> None:
    review = {"path": "<a>.png", "mark": "unfit", "note": "no cat", "label": "", "done": "left out"}
    split = {"classes": {}, "images": {"bad": 0, "dropped": 0}, "reviewed": [review]}
    context = {"split": split, "scored": {}}
    text = render(PAGE.parent / "sections/data.html", context)
    row = "<td>&lt;a&gt;.png</td><td>unfit</td><td>no cat</td><td>left out</td>"
    assert row in text[text.index("<details>") : text.index("</details>")]
    del split["reviewed"]
    assert "<details>" not in render(PAGE.parent / "sections/data.html", context)


@pytest.mark.parametrize("approximate", [False, True])
def test_an_approximate_search_says_what_it_finds(approximate: bool) -> None:
    environment = Environment(loader=FileSystemLoader(PAGE.parent), autoescape=True)
    environment.filters["percent"] = percent
    macros = '{% from "sections/figures.html" import share, figure %}'
    template = environment.from_string(macros + '{% include "sections/twins.html" %}')
    measured = {name: share(np.arange(4) < 3) for name in ("agreement", "margin_mae")}
    if approximate:
        measured["neighbour_recall"] = share(np.arange(10) < 9)
    found = {**spelled(measured), "n": 4, "margin_mae_chance": 1.0, "attributes": {}}
    explain = {"space": "features_cosine", "twins": {"features_cosine": found}}
    text = " ".join(template.render(explain=explain).split())
    assert ("features cosine: the search is approximate and finds 90.0 %" in text) == approximate


def test_percent() -> None:
    assert percent(0.93333) == "93.3 %"
    assert percent(None) == "–"
