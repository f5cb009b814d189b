"""The gallery's records hold what the pipeline found, for every evaluated image."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from stages.report.choice import choice_sentence, choose_shown
from twincam.deliveries import WAYS
from twincam.files.arrays import read_array
from twincam.files.tables import EVALUATED_SPLITS, read_split, read_table
from twincam.pages.explanation import pictures_named


@pytest.fixture(scope="module")
def page(finished: Path) -> str:
    return (finished / "reports" / "index.html").read_text()


@pytest.fixture(scope="module")
def records(page: str) -> list[Any]:
    found = re.search(r'<script type="application/json" id="gallery-data">(.*?)</script>', page)
    assert found
    records: list[Any] = json.loads(found[1])["records"]
    return records


def test_records_are_those_of_the_pipeline(records: list[Any], finished: Path) -> None:
    data, reports = finished / "data", finished / "reports"
    split = read_split(data / "split.csv")
    rows = np.flatnonzero(split["split"].isin(EVALUATED_SPLITS))
    table = read_table(reports / "predictions.csv").set_index("id")
    near = read_table(reports / "twins.csv")
    novelty = read_table(data / "novelty.csv").set_index("id")
    logits = read_array(data / "embeddings" / "logits.npy")[rows]
    swapped = read_array(data / "swapped.npy")
    assert [one["image"] for one in records] == split["id"].iloc[rows].tolist()
    for n, one in enumerate(records):
        row, top = table.loc[one["image"]], np.sort(logits[n])
        assert one["label"] == row["label"]
        assert one["verdict"]["statement"] == row["statement"]
        assert one["verdict"]["predicted"] == row["predicted"]
        for name, value in one["verdict"]["novelty"].items():
            assert value == pytest.approx(novelty.loc[one["image"], name], abs=1e-4)
        assert one["margin"] == pytest.approx(top[-1] - top[-2], abs=1e-4)
        for heat in one["heat"]:
            maps = read_array(data / "heatmaps" / f"{heat['method']}.npy")
            assert np.array(heat["map"]) == pytest.approx(maps[n], abs=1e-4)
        own = near[near["id"] == one["image"]]
        for kind, part in (("twins", "twins"), ("neighbourhood", "neighbours")):
            expected = own.loc[own["kind"] == kind, "neighbour"].tolist()
            assert [twin["image"] for twin in one[part]] == expected
            expected = own.loc[own["kind"] == kind, "path"].tolist()
            assert [twin["path"] for twin in one[part]] == expected
        flipped = [sent["name"] for sent in one["deliveries"] if sent["margin"] < 0]
        assert flipped == one["verdict"]["flips"]
        assert len(one["deliveries"]) == len(WAYS)
        for twin in one["twins"]:
            if twin["map"]:
                assert np.sum(twin["map"]) == pytest.approx(twin["similarity"], abs=5e-3)
        if one["counterfactual"]:
            assert len(one["counterfactual"]["cells"]) == swapped[n].sum()


def test_prototypes_are_those_of_the_network(records: list[Any], finished: Path) -> None:
    table = read_table(finished / "reports" / "protopnet_predictions.csv").set_index("id")
    for one in records:
        found = one["prototypes"]
        for name, logit in found["logits"].items():
            points = [row["points"] for row in found["rows"] if row["class"] == name]
            assert sum(points) + found["biases"][name] == pytest.approx(logit, abs=1e-3)
        assert found["predicted"] == table.loc[one["image"], "predicted"]


def test_the_page_holds_every_picture_once(page: str, records: list[Any]) -> None:
    keys = re.findall(r'class="picture" data-key="([^"]*)"', page)
    assert sorted(keys) == sorted(pictures_named(records))


def table(wrong: int, unsure: int, n: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "id": [f"{(7 * k) % n:03d}" for k in range(n)],
            "label": "a",
            "predicted": ["b"] * wrong + ["a"] * (n - wrong),
            "unsure": [False] * wrong + [True] * unsure + [False] * (n - wrong - unsure),
        }
    )


def test_all_images_are_shown_up_to_a_limit() -> None:
    predictions = table(2, 3, 20)
    shown = choose_shown(predictions, 20)
    assert shown.tolist() == list(range(20))
    assert choice_sentence(predictions, shown) == "All 20 evaluated images."


def test_of_more_the_wrong_and_the_unsure_are_shown_and_a_sample() -> None:
    predictions = table(2, 3, 20)
    shown = choose_shown(predictions, 10)
    assert set(range(5)) <= set(shown.tolist())
    assert len(shown) == 10
    said = choice_sentence(predictions, shown)
    assert said.startswith("10 of 20 evaluated images: every one that is wrong or unsure")
    few = choose_shown(predictions, 3)
    assert {0, 1} <= set(few.tolist())
    assert "of which 2 are left out" in choice_sentence(predictions, few)
