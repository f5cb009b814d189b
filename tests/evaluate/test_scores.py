"""Figures of merit on predictions whose truth can be counted by hand."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from stages.common.predictions import misclassified, predictions
from stages.evaluate.scores import roc, scores

CLASSES = ["fake", "real"]


def table(labels: list[str], logits: Sequence[Sequence[float]], classes: list[str]) -> pd.DataFrame:
    n = len(labels)
    split = pd.DataFrame(
        {
            "id": [f"{k:02d}" for k in range(n)],
            "path": [f"{name}/{k}.png" for k, name in enumerate(labels)],
            "split": "val",
            "source": "",
            "label": labels,
        }
    )
    return predictions(split, np.array(logits), classes)


def test_predictions_are_softmax_and_their_columns_the_contract() -> None:
    rows = table(["fake", "real"], [[2.0, 0.0], [1.0, 1.0]], CLASSES)
    assert list(rows) == [
        "id",
        "path",
        "split",
        "source",
        "label",
        "predicted",
        "confidence",
        "p_fake",
        "p_real",
    ]
    assert rows["p_fake"][0] == pytest.approx(1 / (1 + np.exp(-2)))
    assert rows["confidence"].tolist() == rows[["p_fake", "p_real"]].max(axis=1).tolist()


def test_misclassified_come_worst_first() -> None:
    rows = table(["fake"] * 4, [[3, 0], [0, 1], [0, 4], [0, 2]], CLASSES)
    assert misclassified(rows)["id"].tolist() == ["02", "03", "01"]


def test_scores_by_hand() -> None:
    labels = ["fake"] * 4 + ["real"] * 2
    logits = [[1, 0], [2, 0], [3, 0], [0, 1], [0, 2], [4, 0]]
    figures = scores(table(labels, logits, CLASSES), CLASSES)
    assert figures["n"] == 6
    assert figures["accuracy"] == pytest.approx(4 / 6)
    assert figures["balanced_accuracy"] == pytest.approx((3 / 4 + 1 / 2) / 2)
    fake = figures["per_class"]["fake"]
    assert (fake["precision"], fake["recall"], fake["n"]) == (0.75, 0.75, 4)
    assert figures["f1_macro"] == pytest.approx((0.75 + 0.5) / 2)
    # fake against real by p_fake: of 8 pairs, the fakes win 3 + 0 against p(4) and p(-2)
    assert figures["roc_auc"] == pytest.approx(4 / 8)


def test_perfect_ranking_is_one_whatever_the_threshold() -> None:
    figures = scores(table(["fake", "real"], [[5, 0], [4, 0]], CLASSES), CLASSES)
    assert (figures["roc_auc"], figures["average_precision"]) == (1.0, 1.0)
    assert figures["accuracy"] == 0.5


def test_more_classes_and_an_absent_one() -> None:
    classes = ["a", "b", "c"]
    rows = table(["a", "b", "a", "b"], [[3, 0, 0], [0, 3, 0], [2, 0, 1], [0, 0, 1]], classes)
    figures = scores(rows, classes)
    assert figures["per_class"]["c"]["n"] == 0
    assert figures["accuracy"] == 0.75
    assert figures["roc_auc"] is not None
    assert set(roc(rows, classes)["class"]) == {"a", "b"}


def test_one_class_alone_has_no_ranking() -> None:
    figures = scores(table(["a", "a"], [[1, 0], [0, 1]], ["a", "b"]), ["a", "b"])
    assert figures["roc_auc"] is None
    assert figures["average_precision"] is None


def test_roc_runs_from_corner_to_corner() -> None:
    curve = roc(table(["fake", "real", "fake"], [[2, 0], [1, 0], [0, 1]], CLASSES), CLASSES)
    for _, points in curve.groupby("class"):
        assert points[["fpr", "tpr"]].iloc[0].tolist() == [0, 0]
        assert points[["fpr", "tpr"]].iloc[-1].tolist() == [1, 1]
