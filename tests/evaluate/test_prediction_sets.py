"""Sets have their nominal coverage, and abstentions state their causes."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax

from stages.evaluate.abstention import unsure_figures
from stages.evaluate.external import external_predictions, source_figures
from twincam.confidence.prediction_sets import prediction_sets, thresholds
from twincam.confidence.verdicts import flips_by_delivery, with_verdicts
from twincam.files.metrics import spelled

CLASSES = ["fake", "real"]


def sampled(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return logits and class indices; the second class is much harder than the first."""
    truth = rng.integers(0, 2, n)
    logits = rng.normal(size=(n, 2))
    logits[np.arange(n), truth] += np.where(truth == 1, 0.7, 3.0)
    return logits, truth


def scored(logits: np.ndarray, truth: np.ndarray) -> pd.DataFrame:
    table = pd.DataFrame(logits, columns=[f"logit_{name}" for name in CLASSES])
    return table.assign(id=[f"{i:04d}" for i in range(len(table))], label=np.array(CLASSES)[truth])


@pytest.mark.parametrize("alpha", [0.05, 0.2])
def test_each_class_is_covered_as_often_as_nominal_on_average(alpha: float) -> None:
    """Of exchangeable images, and not much more often: the sets are no larger than necessary."""
    rng = np.random.default_rng(0)
    covered = []
    for _ in range(150):
        limits, _ = thresholds(scored(*sampled(120, rng)), CLASSES, alpha)
        assert limits is not None
        logits, truth = sampled(400, rng)
        held = prediction_sets(logits, limits, CLASSES)[np.arange(400), truth]
        covered.append([held[truth == k].mean() for k in (0, 1)])
    means = np.mean(covered, axis=0)
    error = np.std(covered, axis=0) / np.sqrt(len(covered))
    assert (means > 1 - alpha - 3 * error).all()
    assert (means < 1 - alpha + 1 / 50 + 3 * error).all()


def test_the_threshold_is_the_score_of_its_rank() -> None:
    p = np.linspace(0.99, 0.50, 19)
    logits = np.log(np.stack([p, 1 - p], axis=1))
    both = np.concatenate([logits, logits[:, ::-1]])
    table = scored(both, np.repeat([0, 1], 19))
    limits, reason = thresholds(table, CLASSES, 0.05)
    assert reason == ""
    assert limits is not None
    assert limits == pytest.approx(dict.fromkeys(CLASSES, -np.log(0.5)))
    tenth, _ = thresholds(table, CLASSES, 0.5)
    assert tenth is not None
    assert tenth["fake"] == pytest.approx(-np.log(p[9]))


def test_too_few_images_of_a_class_are_named() -> None:
    table = scored(np.zeros((38, 2)), np.repeat([0, 1], 19))
    assert thresholds(table, CLASSES, 0.05)[0] is not None
    limits, reason = thresholds(table.iloc[:-1], CLASSES, 0.05)
    assert limits is None
    assert "'real' has out-of-fold scores of 18 training images, 19 are needed" in reason
    header = table.head(0).astype(object)
    assert thresholds(header, CLASSES, 0.05)[0] is None


def test_repeats_of_an_image_count_once_by_their_mean() -> None:
    rng = np.random.default_rng(0)
    logits, truth = sampled(60, rng)
    table = scored(logits, truth)
    once, _ = thresholds(table, CLASSES, 0.1)
    twice, _ = thresholds(pd.concat([table, table]), CLASSES, 0.1)
    assert twice == pytest.approx(once)
    other = table.assign(logit_fake=table["logit_fake"] + 1)
    mixed, _ = thresholds(pd.concat([table, other]), CLASSES, 0.1)
    assert mixed != pytest.approx(once)
    few = pd.concat([table.head(10)] * 10)
    assert thresholds(few, CLASSES, 0.1)[0] is None


def test_scores_of_saturated_probabilities_stay_apart() -> None:
    sets = prediction_sets(np.array([[900.0, 0], [400.0, 0]]), {"fake": 0.1, "real": 500}, CLASSES)
    assert sets.tolist() == [[True, False], [True, True]]


def delivered(rows: list[tuple[str, str, float]]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["id", "delivery", "logit_real"])
    return table.assign(logit_fake=0.0)


def decided(
    p_real: list[float], labels: list[str], limits: dict[str, float], deliveries: pd.DataFrame
) -> tuple[pd.DataFrame, np.ndarray, pd.DataFrame]:
    p = np.array(p_real)
    logits = np.stack([np.zeros(len(p)), np.log(p / (1 - p))], axis=1)
    table = pd.DataFrame(
        {
            "id": [str(i) for i in range(len(p))],
            "label": labels,
            "predicted": np.where(p > 0.5, "real", "fake"),
        }
    )
    sets = prediction_sets(logits, limits, CLASSES)
    flips = flips_by_delivery(table, deliveries, CLASSES)
    return (
        with_verdicts(table, softmax(logits / 2, axis=1).max(axis=1), sets, flips, None, CLASSES),
        sets,
        flips,
    )


NOTHING = delivered([])


def measured(*arguments: Any) -> dict[str, Any]:
    return spelled(unsure_figures(*arguments))


def test_a_set_of_one_none_or_both_and_a_contradicting_one() -> None:
    limits = {"fake": -np.log(0.30), "real": -np.log(0.60)}
    table, sets, _ = decided([0.9, 0.65, 0.55, 0.2], ["real"] * 4, limits, NOTHING)
    assert table["set"].tolist() == ["real", "fake|real", "fake", "fake"]
    assert table["verdict"].tolist() == ["real", "unsure", "unsure", "fake"]
    empty, _, _ = decided([0.65], ["real"], {"fake": 0.01, "real": 0.01}, NOTHING)
    assert (empty["set"][0], empty["verdict"][0]) == ("", "unsure")
    assert sets.sum(axis=1).tolist() == [1, 2, 1, 1]
    assert table["flips"].tolist() == [""] * 4


def test_a_flipping_delivery_makes_unsure_at_any_score() -> None:
    deliveries = delivered(
        [
            ("1", "as is", 9.0),
            ("1", "JPEG 40", -1.0),
            ("1", "half size", -0.1),
            ("0", "as is", -9.0),
            ("0", "JPEG 40", 5.0),
            ("0", "half size", 1.0),
        ]
    )
    limits = dict.fromkeys(CLASSES, 0.5)
    table, sets, flips = decided([0.999, 0.999, 0.99], ["real"] * 3, limits, deliveries)
    assert list(flips) == ["JPEG 40", "half size"]
    assert table["flips"].tolist() == ["", "JPEG 40|half size", ""]
    assert table["verdict"].tolist() == ["real", "unsure", "real"]
    found = measured(table, sets, flips, CLASSES, 0.05, "")
    assert found["n_delivered"] == 2
    assert found["by_delivery"] == 0.5
    assert found["by_set"] == 0
    assert found["deliveries"]["JPEG 40"]["n"] == 2
    assert found["deliveries"]["JPEG 40"]["flip_rate"] == 0.5
    assert found["abstention_rate"] == pytest.approx(1 / 3)


def test_traces_make_unsure_and_are_counted_where_measured() -> None:
    table, sets, flips = decided([0.999, 0.999], ["real"] * 2, dict.fromkeys(CLASSES, 0.5), NOTHING)
    assert "by_traces" not in measured(table, sets, flips, CLASSES, 0.05, "")
    bare = table[["id", "label", "predicted"]]
    doubted = with_verdicts(bare, None, sets, flips, np.array([True, False]), CLASSES)
    assert doubted["verdict"].tolist() == ["unsure", "real"]
    assert doubted["traces"].tolist() == ["found", "none"]
    assert measured(doubted, sets, flips, CLASSES, 0.05, "")["by_traces"] == 0.5


def test_coverage_and_accuracy_of_the_sure_are_counted() -> None:
    limits = dict.fromkeys(CLASSES, -np.log(0.3))
    p_real = [0.9, 0.9, 0.6, 0.1, 0.6]
    labels = ["real", "fake", "fake", "fake", "real"]
    table, sets, flips = decided(p_real, labels, limits, NOTHING)
    found = measured(table, sets, flips, CLASSES, 0.05, "")
    assert (found["coverage"], found["nominal"]) == (0.8, 0.95)
    assert found["per_class"]["fake"]["coverage"] == pytest.approx(2 / 3)
    assert found["per_class"]["real"]["n"] == 2
    assert (found["n_sure"], found["accuracy_when_sure"]) == (3, pytest.approx(2 / 3))
    assert found["by_set"] == found["abstention_rate"] == 0.4
    assert found["guarantee"].startswith("approximate")
    assert "skipped" not in found


def test_without_sets_deliveries_decide_and_without_both_nothing_is_claimed() -> None:
    deliveries = delivered([("0", "as is", 1.0), ("0", "JPEG 40", -1.0), ("1", "JPEG 40", 1.0)])
    table, _, flips = decided([0.9, 0.9], ["real", "fake"], dict.fromkeys(CLASSES, 9.0), deliveries)
    bare = with_verdicts(table[["id", "label", "predicted"]], None, None, flips, None, CLASSES)
    assert bare["verdict"].tolist() == ["unsure", "real"]
    assert bare["set"].tolist() == ["", ""]
    assert bare["calibrated"].isna().all()
    found = measured(bare, None, flips, CLASSES, 0.05, "too few")
    assert (found["skipped"], found["abstention_rate"]) == ("too few", 0.5)
    assert "coverage" not in found
    none = flips_by_delivery(table, NOTHING, CLASSES)
    assert "abstention_rate" not in measured(bare, None, none, CLASSES, 0.05, "too few")


def test_other_sources_are_read_from_unmodified_deliveries() -> None:
    rows = [
        ("e", "external", "as is", 3.0),
        ("e", "external", "JPEG 40", -3.0),
        ("v", "val", "as is", 1.0),
    ]
    table = pd.DataFrame(rows, columns=["id", "split", "delivery", "logit_real"])
    table = table.assign(path="x", source="phone", label="fake", logit_fake=0.0)
    found, logits = external_predictions(table, CLASSES)
    assert found["id"].tolist() == ["e"]
    assert found["predicted"].tolist() == ["real"]
    assert logits.tolist() == [[0, 3]]
    empty, nothing = external_predictions(table.head(0), CLASSES)
    assert empty.empty
    assert nothing.shape == (0, 2)
    assert list(empty) == list(found)


def test_figures_of_a_source_by_class() -> None:
    rows = pd.DataFrame(
        {
            "label": ["fake"] * 4 + ["real"],
            "predicted": ["fake", "real", "real", "real", "real"],
            "unsure": [False, True, False, False, False],
        }
    )
    found = spelled(source_figures(rows, {"abstention_rate": 0.2}))
    assert (found["n"], found["accuracy"]) == (5, pytest.approx(2 / 5))
    assert found["accuracy_low"] < found["accuracy"] < found["accuracy_high"]
    fake = found["per_class"]["fake"]
    assert (fake["n"], fake["recall"]) == (4, 0.25)
    assert fake["abstention_rate"] == 0.25
    assert fake["detected_or_abstained"] == 0.5
    assert fake["recall_low"] < 0.25 < fake["recall_high"]
    assert found["per_class"]["real"]["detected_or_abstained"] == 1
    assert found["unsure"]["abstention_rate"] == 0.2
    assert found["unsure"]["guarantee"].startswith("none")
