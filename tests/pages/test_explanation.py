"""A record is plain JSON that is as precise as its source, and pages hold it as text."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.browser.records import CLASS, HOSTILE, images, record
from twincam.pages import explanation
from twincam.pages.explanation import (
    counterfactual_of,
    deliveries_of,
    disagreement,
    explanation_page,
    figure,
    gallery_page,
    heat_of,
    map_rows,
    neighbour_of,
    picture_of,
    pictures_named,
    prototypes_of,
    safe_json,
    twin_of,
    verdict_of,
)
from twincam.pages.runs import match_centres

WEB = Path(explanation.__file__).with_name("web")
NEAR = {
    "neighbour": "t1",
    "path": "b/1.png",
    "label": "b",
    "predicted": "a",
    "similarity": 0.123456,
}
PREDICTED = {
    "predicted": "real",
    "as_is": "fake",
    "remark": "As it is, …",
    "p_fake": 0.25,
    "p_real": 0.75,
    "calibrated": 0.87654321,
    "set": "fake|real",
    "flips": "JPEG 40|60 % crop",
    "traces": "",
    "unsure": np.True_,
    "statement": "unsure (why)",
}


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e6])
def test_maps_keep_four_digits_whatever_their_scale(scale: float) -> None:
    heat = np.random.default_rng(0).normal(size=(3, 5)) * scale
    found = np.array(map_rows(heat))
    assert found.shape == (3, 5)
    assert found == pytest.approx(heat, abs=max(1e-4 * np.abs(heat).max(), 1e-12), rel=0)
    assert figure(1 / 3) == 0.3333
    assert map_rows(np.zeros((1, 2))) == [[0, 0]]


def test_a_verdict_is_that_of_the_table() -> None:
    found = verdict_of(PREDICTED, ["fake", "real"])
    assert json.loads(json.dumps(found)) == {
        "statement": "unsure (why)",
        "remark": "As it is, …",
        "predicted": "real",
        "as_is": "fake",
        "unsure": True,
        "confidence": 0.8765,
        "probabilities": {"fake": 0.25, "real": 0.75},
        "set": ["fake", "real"],
        "flips": ["JPEG 40", "60 % crop"],
        "traces": None,
        "novelty": None,
    }


@pytest.mark.parametrize("missing", ["", float("nan")])
def test_what_was_not_measured_is_none(missing: object) -> None:
    found = verdict_of(PREDICTED | {"calibrated": missing, "set": ""}, ["fake", "real"])
    assert (found["confidence"], found["set"]) == (None, None)


def test_a_map_of_one_cell_or_of_nothing_is_left_out() -> None:
    assert heat_of("gradcam", np.ones((1, 1))) == []
    assert twin_of(NEAR, np.zeros((2, 2)))["map"] is None
    assert twin_of(NEAR, None)["map"] is None
    assert twin_of(NEAR, np.eye(2))["map"] == [[1, 0], [0, 1]]


def test_neighbours_and_the_cells_to_swap() -> None:
    near = neighbour_of(NEAR)
    assert near == {
        "image": "t1",
        "path": "b/1.png",
        "label": "b",
        "predicted": "a",
        "similarity": 0.1235,
    }
    assert disagreement([near, near | {"label": "a"}], "a") == 0.5
    assert disagreement([], "a") is None
    cells = np.zeros((2, 3), bool)
    cells[1, 2] = True
    found = counterfactual_of({**NEAR, "reached": "c"}, cells, True)
    assert (found["cells"], found["rows"], found["columns"]) == ([[1, 2]], 2, 3)
    assert (found["to"], found["predicted"], found["label"]) == ("c", "a", "b")


def test_points_and_bias_add_up_to_the_logits() -> None:
    table = pd.DataFrame({"prototype": [0, 4, 5], "class": list("aab"), "weight": [2.0, 1.0, 3.0]})
    table = table.assign(id="t", path="a/t.png", centre_y=9, centre_x=8, receptive_field=20)
    similarity = np.array([0.5, 0.25, 1.0], np.float32)
    centres = np.array([[8, 24], [40, 40], [24, 8]])
    found = prototypes_of(table.to_dict("records"), {"a": -0.25, "b": 0.5}, similarity, centres, 64)
    assert found["predicted"] == "b"
    assert found["logits"] == {"a": 1.0, "b": 3.5}
    assert [row["points"] for row in found["rows"]] == [1.0, 0.25, 3.0]
    assert found["rows"][0]["place"] == [8, 24]
    assert found["rows"][1]["prototype"] == 4
    assert (found["rows"][1]["source"], found["rows"][1]["source_path"]) == ("t", "a/t.png")


def test_matches_lie_at_the_centres_of_their_cells_in_older_runs_too() -> None:
    cells, stride = np.array([[0, 1], [2, 2]]), pd.DataFrame({"stride": [16, 16]})
    assert match_centres(stride, cells).tolist() == [[8, 24], [40, 40]]
    assert match_centres(stride.assign(first=24), cells).tolist() == [[24, 40], [56, 56]]


def test_a_delivery_that_changes_the_prediction_has_a_negative_margin() -> None:
    logits = np.array([[1.0, 3.0, 0.5], [2.0, 1.5, 2.25]])
    assert deliveries_of(["JPEG 95", "crop"], logits, ["a", "b", "c"], "b") == [
        {"name": "JPEG 95", "predicted": "b", "margin": 2.0},
        {"name": "crop", "predicted": "c", "margin": -0.75},
    ]


def test_every_picture_is_named() -> None:
    assert pictures_named([record(0), record(1)]) == {"v0", "v1", "t1", "t2"}
    assert picture_of(np.zeros((64, 32, 3), np.uint8), 16).startswith("data:image/webp;base64,")


def test_json_cannot_close_its_script() -> None:
    text = safe_json({"a": "</script><!--", "b": "\u2028é"})
    assert "<" not in text
    assert json.loads(text) == {"a": "</script><!--", "b": "\u2028é"}
    with pytest.raises(ValueError, match="JSON"):
        safe_json(float("nan"))


@pytest.mark.parametrize("page", ["explanation", "gallery"])
def test_pages_escape_what_comes_from_data(page: str) -> None:
    shown = [record(0)]
    if page == "explanation":
        text = explanation_page(shown, images(1), HOSTILE)
    else:
        text = gallery_page(shown, images(1), HOSTILE, CLASS)
    assert HOSTILE not in text
    assert CLASS not in text
    assert not re.search(r"""(?:src|href)=["'](?!#|data:)""", text)


def test_scripts_are_small() -> None:
    assert sum(file.stat().st_size for file in WEB.glob("*.js")) < 100_000
