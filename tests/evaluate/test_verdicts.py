"""The mean over deliveries decides, its margin makes unsure, and abstentions state their causes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest

from stages.evaluate.abstention import unsure_figures
from stages.evaluate.external import source_figures
from stages.evaluate.scores import beside_as_is
from twincam.confidence.abstention import fit_least_margin, is_weak
from twincam.confidence.scores import scores_of, untouched
from twincam.confidence.verdicts import (
    ConfidenceModel,
    Traces,
    Verdicts,
    fit_confidence,
    verdicts_of,
)
from twincam.files.metrics import spelled

CLASSES = ["fake", "real"]
WAYS = ["as is", "JPEG 40", "half size"]
NONE = Traces(None, "real")


def delivered(margins: Sequence[Sequence[float]], labels: Sequence[str] = ()) -> pd.DataFrame:
    """Return the deliveries of images from their margins for "real", one for each delivery."""
    rows = [
        {"id": str(n), "delivery": way, "label": label, "logit_fake": 0.0, "logit_real": margin}
        for n, (own, label) in enumerate(
            zip(margins, labels or ["real"] * len(margins), strict=True)
        )
        for way, margin in zip(WAYS, own, strict=True)
    ]
    return pd.DataFrame(rows).assign(path="", split="val", source="")


def model(limits: Mapping[str, float] | None = None, least: float | None = None) -> ConfidenceModel:
    held = dict(limits) if limits else None
    return ConfidenceModel(2.0, "", held, "" if held else "too few", 0.05, least, "", 0.1)


def at(p_real: float) -> list[float]:
    """Return the margins of an image whose deliveries all have the probability ``p_real``."""
    return [float(np.log(p_real / (1 - p_real)))] * len(WAYS)


def measured(verdicts: Verdicts, fitted: ConfidenceModel) -> dict[str, Any]:
    return spelled(unsure_figures(verdicts, fitted, CLASSES))


def test_the_score_is_the_mean_over_deliveries() -> None:
    table = delivered([[3, -1, 1], [-1, 2, 2], [1, -4, 0]], ["real", "real", "fake"])
    assert scores_of(table, CLASSES)["logit_real"].tolist() == [1, 1, -1]
    assert untouched(table)["logit_real"].tolist() == [3, -1, 1]
    found = verdicts_of(table, model(), NONE, CLASSES).table
    assert found["predicted"].tolist() == ["real", "real", "fake"]
    assert found["as_is"].tolist() == ["real", "fake", "real"]
    assert found["flips"].tolist() == ["JPEG 40", "JPEG 40|half size", "JPEG 40|half size"]
    np.testing.assert_allclose(found["p_real"], 1 / (1 + np.exp([-1, -1, 1])))
    np.testing.assert_allclose(found["calibrated"], 1 / (1 + np.exp(-0.5)))
    beside = spelled(beside_as_is(found, 0))
    assert beside["accuracy_as_is"] == pytest.approx(1 / 3)
    assert beside["accuracy_over_as_is"] == pytest.approx(2 / 3)
    assert beside["p_over_as_is"] == 0.5


def test_repeats_are_scored_one_by_one() -> None:
    once = delivered([[3, 1, 2], [-3, -1, -2]]).assign(repeat=1)
    again = once.assign(repeat=2, logit_real=once["logit_real"] + 1)
    found = scores_of(pd.concat([once, again]), CLASSES)
    assert found["repeat"].tolist() == [1, 1, 2, 2]
    assert found["logit_real"].tolist() == [2, -2, 3, -1]
    empty = scores_of(once.head(0), CLASSES)
    assert empty.empty
    assert list(empty) == list(found)


def test_a_small_mean_margin_makes_unsure_and_a_flip_alone_does_not() -> None:
    table = delivered([[9, -1, 1], [0.2, 0.9, 0.7], [-0.5, -0.5, -0.5]])
    fitted = model(least=1.0)
    found = verdicts_of(table, fitted, NONE, CLASSES)
    assert found.table["verdict"].tolist() == ["real", "unsure", "unsure"]
    assert found.table["flips"].tolist() == ["JPEG 40", "", ""]
    figures = measured(found, fitted)
    assert figures["by_margin"] == figures["abstention_rate"] == pytest.approx(2 / 3)
    assert (figures["n_sure"], figures["accuracy_when_sure"]) == (1, 1)


def test_of_several_classes_the_margin_is_that_over_the_runner_up() -> None:
    assert is_weak(np.array([[5.0, 4.5, 0], [5, 3, 2.9]]), 1.0).tolist() == [True, False]
    assert not is_weak(np.zeros((1, 3)), None).any()


@pytest.mark.parametrize("share", [0.1, 0.3])
def test_at_most_the_stated_share_is_unsure_on_average(share: float) -> None:
    """Of exchangeable images, and not much less: the threshold is no lower than necessary."""
    rng = np.random.default_rng(0)
    weak = []
    for _ in range(200):
        fitted, fresh = rng.normal(size=(2, 60))
        table = pd.DataFrame({"label": "real", "logit_fake": 0.0, "logit_real": fitted})
        least, reason = fit_least_margin(table, CLASSES, share)
        assert not reason
        weak.append(is_weak(np.stack([np.zeros(60), fresh], axis=1), least).mean())
    error = np.std(weak) / np.sqrt(len(weak))
    assert share - 1 / 60 - 3 * error < np.mean(weak) < share + 3 * error


def test_too_few_scores_for_the_share_are_named() -> None:
    table = pd.DataFrame({"label": "real", "logit_fake": 0.0, "logit_real": np.arange(1.0, 10)})
    assert fit_least_margin(table, CLASSES, 0.1) == (1.0, "")
    least, reason = fit_least_margin(table.iloc[1:], CLASSES, 0.1)
    assert least is None
    assert "8 out-of-fold scores, 9 are needed" in reason


def test_a_set_holds_the_predicted_class_and_those_that_fit() -> None:
    fitted = model({"fake": -np.log(0.30), "real": -np.log(0.60)})
    found = verdicts_of(delivered([at(p) for p in (0.9, 0.65, 0.55, 0.2)]), fitted, NONE, CLASSES)
    assert found.table["set"].tolist() == ["real", "fake|real", "fake|real", "fake"]
    assert found.table["verdict"].tolist() == ["real", "unsure", "unsure", "fake"]
    assert found.sets is not None
    assert found.sets.sum(axis=1).tolist() == [1, 2, 2, 1]
    tight = model({"fake": 0.01, "real": 0.01})
    alone = verdicts_of(delivered([at(0.65)]), tight, NONE, CLASSES).table
    assert (alone["set"][0], alone["verdict"][0]) == ("real", "real")


def test_traces_make_unsure_and_are_counted_where_measured() -> None:
    table, fitted = delivered([at(0.999), at(0.999), at(0.001)]), model(least=0.1)
    assert "by_traces" not in measured(verdicts_of(table, fitted, NONE, CLASSES), fitted)
    found = verdicts_of(table, fitted, Traces(frozenset("02"), "real"), CLASSES)
    assert found.table["verdict"].tolist() == ["unsure", "real", "fake"]
    assert found.table["traces"].tolist() == ["found", "none", "none"]
    assert measured(found, fitted)["by_traces"] == pytest.approx(1 / 3)


def test_coverage_and_accuracy_of_the_sure_are_counted() -> None:
    fitted = model(dict.fromkeys(CLASSES, -np.log(0.3)))
    labels = ["real", "fake", "fake", "fake", "real"]
    table = delivered([at(p) for p in (0.9, 0.9, 0.6, 0.1, 0.6)], labels)
    found = measured(verdicts_of(table, fitted, NONE, CLASSES), fitted)
    assert (found["coverage"], found["nominal"]) == (0.8, 0.95)
    assert found["per_class"]["fake"]["coverage"] == pytest.approx(2 / 3)
    assert found["per_class"]["real"]["n"] == 2
    assert (found["n_sure"], found["accuracy_when_sure"]) == (3, pytest.approx(2 / 3))
    assert found["by_set"] == found["abstention_rate"] == 0.4
    assert "by_margin" not in found
    assert found["guarantee"].startswith("approximate")
    assert "skipped" not in found


def test_without_out_of_fold_scores_nothing_is_claimed() -> None:
    table = delivered([[1, -1, 1], at(0.5001)])
    fitted = fit_confidence(table.head(0), CLASSES, 0.05, 0.1)
    assert fitted[::2][:2] == (None, None)
    assert fitted.least_margin is None
    found = verdicts_of(table, fitted, NONE, CLASSES)
    assert found.table["verdict"].tolist() == ["real", "real"]
    assert found.table["set"].tolist() == ["", ""]
    assert found.table["calibrated"].isna().all()
    assert set(measured(found, fitted)) == {"n", "skipped"}
    traced = verdicts_of(table, fitted, Traces(frozenset("0"), "real"), CLASSES)
    assert measured(traced, fitted)["abstention_rate"] == 0.5


def test_figures_of_a_source_by_class() -> None:
    rows = pd.DataFrame(
        {
            "label": ["fake"] * 4 + ["real"],
            "predicted": ["fake", "real", "real", "real", "real"],
            "as_is": ["real"] * 5,
            "unsure": [False, True, False, False, False],
        }
    )
    found = spelled(source_figures(rows, {"abstention_rate": 0.2}, 0))
    assert (found["n"], found["accuracy"]) == (5, pytest.approx(2 / 5))
    assert (found["accuracy_as_is"], found["accuracy_over_as_is"]) == (0.2, pytest.approx(0.2))
    assert found["accuracy_low"] < found["accuracy"] < found["accuracy_high"]
    fake = found["per_class"]["fake"]
    assert (fake["n"], fake["recall"]) == (4, 0.25)
    assert fake["abstention_rate"] == 0.25
    assert fake["detected_or_abstained"] == 0.5
    assert fake["recall_low"] < 0.25 < fake["recall_high"]
    assert found["per_class"]["real"]["detected_or_abstained"] == 1
    assert found["unsure"]["abstention_rate"] == 0.2
    assert found["unsure"]["guarantee"].startswith("none")
