"""Metrics of predicted probabilities, each with its 95 % interval."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import roc_curve

from twincam.files.metrics import Estimate
from twincam.statistics.estimates import NOTHING, difference, mean_of_shares, share
from twincam.statistics.intervals import (
    logit_interval,
    majority_share,
    mcnemar,
    stratified_resamples,
)
from twincam.statistics.ranking import average_precision, mean_auc


def scores(table: pd.DataFrame, classes: Sequence[str], seed: int) -> dict[str, Any]:
    """Return the figures of one evaluated split.

    ``majority_share`` is the accuracy of always predicting its most common class.
    ``roc_auc`` and ``average_precision`` are means over the classes, each against the rest, that
    have positives and negatives. ``f1_macro`` is the mean over the classes that occur or are
    predicted. Shares have Wilson's interval, ``balanced_accuracy`` combines those
    of the recalls, the others have a `logit_interval` of a bootstrap stratified by class; a figure
    without images is `NOTHING`.

    Args:
        table: from `twincam.files.predictions.predictions`, of one split.
        classes: the labels.
        seed: of the bootstrap.
    """
    labels, predicted = table["label"].to_numpy(), table["predicted"].to_numpy()
    p = table[[f"p_{name}" for name in classes]].to_numpy()
    n = {name: int((labels == name).sum()) for name in classes}
    ranked = [name for name in classes if 0 < n[name] < len(table)]
    trials = {
        "roc_auc": min((min(n[name], len(table) - n[name]) for name in ranked), default=0),
        "average_precision": min((n[name] for name in ranked), default=0),
        "f1_macro": min(count for count in n.values() if count),
        **{f"f1_of_{name}": n[name] for name in classes},
    }
    value = _resampled(labels, predicted, p, classes)
    resampled = pd.DataFrame(
        _resampled(labels[pick], predicted[pick], p[pick], classes)
        for pick in stratified_resamples(labels, seed, "scores")
    )

    def with_interval(key: str) -> Estimate:
        found = value[key]
        if found is None or not trials[key]:
            return NOTHING
        interval = logit_interval(found, resampled[key].to_numpy(float), trials[key])
        return Estimate(found, *interval, len(table))

    correct = predicted == labels
    return {
        "n": len(table),
        "accuracy": share(correct),
        "majority_share": majority_share(labels),
        "balanced_accuracy": mean_of_shares([correct[labels == k] for k in n if n[k]]),
        **{key: with_interval(key) for key in ("f1_macro", "roc_auc", "average_precision")},
        "per_class": {
            name: {
                "n": n[name],
                "n_predicted": int((predicted == name).sum()),
                "recall": share(correct[labels == name]),
                "precision": share(correct[predicted == name]),
                "f1": with_interval(f"f1_of_{name}"),
            }
            for name in classes
        },
    }


def beside_as_is(table: pd.DataFrame, seed: int) -> dict[str, Any]:
    """Return the accuracy of the images as they are, and how much higher that of the scores is.

    ``accuracy_as_is`` with Wilson's interval, ``accuracy_over_as_is`` with one of a bootstrap
    paired by image, and the ``p_over_as_is`` of McNemar's exact test.

    Args:
        table: ``label, predicted, as_is`` of N images.
        seed: of the bootstrap.
    """
    right, plain = ((table[name] == table["label"]).to_numpy() for name in ("predicted", "as_is"))
    return {
        "accuracy_as_is": share(plain),
        "accuracy_over_as_is": difference(right, plain, seed, "as is"),
        "p_over_as_is": mcnemar(plain, right),
    }


def _resampled(
    labels: np.ndarray, predicted: np.ndarray, p: np.ndarray, classes: Sequence[str]
) -> dict[str, float | None]:
    """Return the figures that need a bootstrap, the F1 of a class as ``f1_of_<class>``."""
    both = [name for name in classes if 0 < (labels == name).sum() < len(labels)]
    precisions = [average_precision(labels == k, p[:, list(classes).index(k)]) for k in both]
    f1 = {f"f1_of_{name}": f1_score(labels == name, predicted == name) for name in classes}
    return {
        "roc_auc": mean_auc(labels, p, classes),
        "average_precision": float(np.mean(precisions)) if both else None,
        "f1_macro": float(np.mean([one for one in f1.values() if one is not None])),
        **f1,
    }


def f1_score(truth: np.ndarray, predicted: np.ndarray) -> float | None:
    """Return the F1 of two bools ``[N]``, None if both are False everywhere."""
    either = truth.sum() + predicted.sum()
    return float(2 * (truth & predicted).sum() / either) if either else None


def roc(table: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """Return the ROC points of every class against the rest, split by split."""
    curves = []
    for split, rows in table.groupby("split", sort=True):
        for name in classes:
            truth = rows["label"] == name
            if truth.nunique() == 2:
                fpr, tpr, _ = roc_curve(truth, rows[f"p_{name}"])
                curve = {"split": split, "class": name, "fpr": fpr, "tpr": tpr}
                curves.append(pd.DataFrame(curve))
    columns = ["split", "class", "fpr", "tpr"]
    return pd.concat(curves, ignore_index=True) if curves else pd.DataFrame(columns=columns)
