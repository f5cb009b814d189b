"""Metrics of predictions, counted by hand."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score as sklearn_f1

from stages.evaluate.scores import f1_score, roc, scores
from twincam.files.metrics import spelled
from twincam.files.predictions import misclassified, predictions
from twincam.statistics.intervals import wilson

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
    figures = spelled(scores(table(labels, logits, CLASSES), CLASSES, 0))
    assert figures["n"] == 6
    assert figures["accuracy"] == pytest.approx(4 / 6)
    assert figures["balanced_accuracy"] == pytest.approx((3 / 4 + 1 / 2) / 2)
    assert figures["majority_share"] == pytest.approx(4 / 6)
    fake = figures["per_class"]["fake"]
    assert (fake["precision"], fake["recall"], fake["n"]) == (0.75, 0.75, 4)
    assert figures["f1_macro"] == pytest.approx((0.75 + 0.5) / 2)
    # fake against real by p_fake: of 8 pairs, the fakes win 3 + 0 against p(4) and p(-2)
    assert figures["roc_auc"] == pytest.approx(4 / 8)


def test_perfect_ranking_is_one_whatever_the_threshold() -> None:
    figures = spelled(scores(table(["fake", "real"], [[5, 0], [4, 0]], CLASSES), CLASSES, 0))
    assert (figures["roc_auc"], figures["average_precision"]) == (1.0, 1.0)
    assert figures["accuracy"] == 0.5


def test_more_classes_and_an_absent_one() -> None:
    classes = ["a", "b", "c"]
    rows = table(["a", "b", "a", "b"], [[3, 0, 0], [0, 3, 0], [2, 0, 1], [0, 0, 1]], classes)
    figures = spelled(scores(rows, classes, 0))
    assert figures["per_class"]["c"]["n"] == 0
    assert figures["accuracy"] == 0.75
    assert np.isfinite(figures["roc_auc"])
    assert set(roc(rows, classes)["class"]) == {"a", "b"}


def test_one_class_alone_has_no_ranking() -> None:
    figures = spelled(scores(table(["a", "a"], [[1, 0], [0, 1]], ["a", "b"]), ["a", "b"], 0))
    assert np.isnan([figures["roc_auc"], figures["average_precision"]]).all()


def test_roc_runs_from_corner_to_corner() -> None:
    curve = roc(table(["fake", "real", "fake"], [[2, 0], [1, 0], [0, 1]], CLASSES), CLASSES)
    for _, points in curve.groupby("class"):
        assert points[["fpr", "tpr"]].iloc[0].tolist() == [0, 0]
        assert points[["fpr", "tpr"]].iloc[-1].tolist() == [1, 1]


def test_every_figure_lies_in_its_interval() -> None:
    rng = np.random.default_rng(0)
    classes = ["f1_macro", "b", "roc_auc"]
    labels = rng.choice(classes, 90).tolist()
    logits = rng.normal(size=(90, 3)) + 1.5 * np.array(
        [[k == name for k in classes] for name in labels]
    )
    figures = spelled(scores(table(labels, logits.tolist(), classes), classes, 0))
    blocks = [figures, *figures["per_class"].values()]
    names = [{key for key in block if f"{key}_low" in block} for block in blocks]
    assert names[0] == {
        "accuracy",
        "balanced_accuracy",
        "f1_macro",
        "roc_auc",
        "average_precision",
    }
    assert names[1:] == [{"recall", "precision", "f1"}] * 3
    for block, keys in zip(blocks, names, strict=True):
        for key in keys:
            assert 0 < block[f"{key}_low"] < block[key] < block[f"{key}_high"] < 1, key
            assert block[f"{key}_high"] - block[f"{key}_low"] < 0.5, key


def test_a_perfect_score_is_not_certain() -> None:
    rows = table(["fake"] * 20 + ["real"] * 30, [[1, 0]] * 20 + [[0, 1]] * 30, CLASSES)
    figures = spelled(scores(rows, CLASSES, 0))
    assert figures["roc_auc"] == figures["average_precision"] == figures["f1_macro"] == 1
    assert figures["roc_auc_low"] == pytest.approx(wilson(20, 20)[0])
    assert figures["average_precision_low"] == pytest.approx(wilson(20, 20)[0])
    assert figures["balanced_accuracy_low"] < 0.95
    assert figures["per_class"]["real"]["f1_low"] == pytest.approx(wilson(30, 30)[0])


def test_f1_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(1)
    labels, predicted = (rng.choice(["a", "b", "c"], 60) for _ in range(2))
    for name in "abc":
        own = f1_score(labels == name, predicted == name)
        assert own == pytest.approx(sklearn_f1(labels == name, predicted == name))
    nothing = np.zeros(3, bool)
    assert f1_score(nothing, nothing) is None
