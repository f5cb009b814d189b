"""An excluded source is not trained on, and its figures match counts by hand."""

import numpy as np
import pandas as pd
import pytest

from stages.leave_one_source_out.judging import judged
from stages.leave_one_source_out.sources import leave_out, names
from stages.leave_one_source_out.summary import figures, headlines, macro_recall, rates
from twincam.confidence.offsets import fit_offsets
from twincam.confidence.params import Evaluate
from twincam.deliveries import DELIVERIES
from twincam.files.metrics import Estimate, spelled

SETTINGS = Evaluate(alpha=0.05, max_abstention=0.1)

SPLIT = pd.DataFrame(
    [
        ("train", "fake", "g1", "sd"),
        ("train", "fake", "g2", "gan"),
        ("train", "real", "g1", ""),  # the partner of the first
        ("train", "real", "g3", ""),
        ("val", "fake", "g4", "sd"),
        ("val", "fake", "g5", "gan"),
        ("val", "real", "g6", ""),
        ("train", "real", "g7", "camera"),
    ],
    columns=["split", "label", "group", "source"],
).assign(family="")


def test_classes_take_turns_with_their_largest_source_and_unnamed_ones_are_ignored() -> None:
    more = pd.concat([SPLIT, SPLIT[SPLIT["source"] == "sd"]])
    assert names(more, "source") == ["sd", "camera", "gan"]
    assert names(more, "family") == []


def test_a_source_of_two_classes_is_excluded_once() -> None:
    both = SPLIT.assign(source=SPLIT["source"].replace({"camera": "sd"}))
    assert names(both, "source") == ["gan", "sd"]


def test_the_source_and_its_groups_are_excluded_and_all_of_it_scored() -> None:
    one = leave_out(SPLIT, "source", "sd")
    assert one is not None
    assert one.refit.train.tolist() == [1, 3, 7]
    assert one.refit.held_out.tolist() == [0, 4, 5, 6]
    assert one.own.tolist() == [True, True, False, False]


def test_the_only_source_of_a_class_cannot_be_excluded() -> None:
    alone = SPLIT.assign(source=SPLIT["source"].replace({"gan": "sd"}))
    assert leave_out(alone, "source", "sd") is None


def test_figures_of_the_source_and_of_the_others() -> None:
    table = pd.DataFrame(
        {
            "label": ["fake", "fake", "fake", "real", "real"],
            "predicted": ["fake", "real", "fake", "real", "fake"],
            "unsure": [False, True, False, False, False],
            "own": [True, True, False, False, False],
        }
    )
    found = spelled(figures(table))
    assert found["per_class"] == {"fake": found["per_class"]["fake"]}
    assert found["per_class"]["fake"]["recall"] == 0.5
    assert found["per_class"]["fake"]["abstention_rate"] == 0.5
    assert found["per_class"]["fake"]["detected_or_abstained"] == 1
    assert found["per_class"]["fake"]["n"] == 2
    assert found["others"]["accuracy"] == pytest.approx(2 / 3)
    assert found["others"]["majority_share"] == pytest.approx(2 / 3)
    assert "others" not in figures(table[table["own"]])


def test_images_are_judged_as_the_pipeline_judges_them() -> None:
    """By the mean over deliveries, with offsets and least margin from the out-of-fold scores."""
    rng = np.random.default_rng(0)
    labels = np.repeat(["fake", "real"], 100)
    margins = np.where(labels == "fake", 2.0, -4.0) + rng.normal(size=200)
    scored = pd.DataFrame(
        {"id": map(str, range(200)), "repeat": 1, "fold": np.arange(200) % 5 + 1, "label": labels}
    ).assign(logit_fake=margins / 2, logit_real=-margins / 2)
    delivered = np.zeros((3, len(DELIVERIES), 2))
    delivered[:, :, 0] = np.array([-0.5, -1.0, -6.0])[:, None]
    delivered[:, 0, 0] = 9.0
    images = pd.DataFrame({"id": ["a", "b", "c"], "label": ["fake", "real", "real"]}).assign(
        path="", split="val", source="new"
    )
    table = judged(images, delivered, scored, SETTINGS, ["fake", "real"])
    assert table["as_is"].tolist() == ["fake"] * 3
    means = delivered.mean(axis=1) @ [1, -1]
    offset = fit_offsets(scored, ["fake", "real"]) @ [1, -1]
    assert offset == pytest.approx(1, abs=0.2)
    assert table["predicted"].tolist() == np.where(means + offset > 0, "fake", "real").tolist()
    assert table["predicted"].tolist() == ["fake", "fake", "real"]
    assert table["unsure"].tolist() == [True, True, False]
    for known in (scored, scored.head(0)):
        nothing = judged(images.head(0), delivered[:0], known, SETTINGS, ["fake", "real"])
        assert nothing.columns.equals(table.columns)


def test_macro_recall_weights_sources_equally_with_an_interval() -> None:
    table = pd.DataFrame(
        {
            "left_out": ["a"] * 90 + ["b"] * 10,
            "label": "fake",
            "predicted": ["fake"] * 90 + ["fake"] * 2 + ["real"] * 8,
        }
    )
    fake = spelled(macro_recall(table))["fake"]
    assert fake["recall"] == pytest.approx((1 + 0.2) / 2)
    assert (fake["sources"], fake["n"]) == (2, 100)
    right = spelled(macro_recall(table.assign(predicted="fake")))["fake"]
    assert right["recall"] == 1
    assert right["recall_low"] < 0.95
    assert np.isclose(right["recall_high"], 1)


def test_the_rates_are_means_over_the_sources_of_a_kind() -> None:
    table = pd.DataFrame(
        {
            "left_out": ["a"] * 4 + ["b"] * 2 + ["camera"] * 3,
            "label": ["fake"] * 6 + ["real"] * 3,
            "predicted": ["fake"] * 3 + ["real"] + ["fake", "real"] + ["fake"] + ["real"] * 2,
        }
    )
    found = rates(table, "real")
    assert found["detection_rate"] == macro_recall(table)["fake"]["recall"]
    assert found["detection_rate"].value == pytest.approx((3 / 4 + 1 / 2) / 2)
    assert found["detection_rate"].n == 6
    assert found["false_positive_rate"].value == pytest.approx(1 / 3)
    assert list(rates(table, None)) == ["detection_rate"]
    assert rates(table, None)["detection_rate"].n == 9
    assert list(rates(table[table["label"] == "real"], "real")) == ["false_positive_rate"]


def test_the_headlines_are_the_rates_that_were_measured() -> None:
    rate = Estimate(0.5, 0.4, 0.6, 100)
    details = {"detection_rate": rate, "macro": {}, "by": "source"}
    assert headlines(details) == {"detection_rate": rate}
    assert headlines({"skipped": "leave_one_source_out.max_sources is 0"}) == {}
