"""What is found is named by image, and two runs are compared by a handful of numbers."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stages.explain.__main__ import headlines
from stages.explain.run import neighbour_table, with_reached
from tests.explain.runs import tiny_run
from twincam.files.metrics import Estimate, write_metrics


def test_the_table_names_every_neighbour_found() -> None:
    similarity = np.array([[0.9, 0.8], [0.7, 0.6], [0.5, np.nan], [0.3, 0.2]])
    near = np.array([[0, 3], [2, 1], [7, -1], [5, 6]])
    table = neighbour_table({"twins": (near, similarity)}, tiny_run())
    assert len(table) == 7
    row = table[(table["id"] == "09") & (table["rank"] == 1)].iloc[0]
    assert (row["neighbour"], row["path"], row["label"]) == ("02", "02.png", "a")
    assert row["similarity"] == 0.7
    assert table.loc[table["id"] == "10", "neighbour"].tolist() == ["07"]


def test_a_swap_may_lead_to_another_class_than_its_partners() -> None:
    run, one = tiny_run(), np.array([[0], [1], [-1], [2]])
    named = run._replace(network=replace(run.network, classes=("a", "b", "c")))
    found = {kind: (one, np.zeros((4, 1))) for kind in ("twins", "counterfactual")}
    table = with_reached(neighbour_table(found, named), np.array([2, 0, -1, 1]), named)
    reached = table.groupby("kind")["reached"].agg(list)
    assert reached["counterfactual"] == ["c", "a", "b"]
    assert reached["twins"] == [""] * 3


@pytest.mark.parametrize("truth", [True, False])
def test_headlines_are_few_and_of_the_first_method_and_the_space_chosen(
    truth: bool, tmp_path: Path
) -> None:
    figures = {"n": 4} | ({"pointing_game": Estimate(0.5, 0.4, 0.6, 4)} if truth else {})
    details = {
        "method": "layercam",
        "space": "maps",
        "heatmaps": {"gradcam": {}, "layercam": figures},
        "twins": {"maps": {"margin_mae": Estimate(1, 0.9, 1.1, 4), "margin_mae_chance": 3.0}},
    }
    write_metrics(tmp_path / "explain.json", headlines(details))
    written = json.loads((tmp_path / "explain.json").read_text())
    pointing = {"pointing_game": 0.5, "pointing_game_low": 0.4, "pointing_game_high": 0.6}
    assert written == {"margin_mae": 1, "margin_mae_chance": 3, **(pointing if truth else {})}
