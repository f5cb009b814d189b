"""Figures of merit of predicted probabilities."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import (
    average_precision_score,
    precision_recall_fscore_support,
    roc_curve,
)

from stages.common.ranking import mean_auc
from stages.common.statistics import share_with_interval


def scores(table: pd.DataFrame, classes: Sequence[str]) -> dict[str, Any]:
    """Return the figures of one evaluated split.

    ``roc_auc`` and ``average_precision`` are means over the classes, each against the rest, of
    those that occur both ways.
    """
    correct = (table["predicted"] == table["label"]).to_numpy()
    precision, recall, f1, n = precision_recall_fscore_support(
        table["label"], table["predicted"], labels=list(classes), zero_division=0
    )
    truth = {name: (table["label"] == name).to_numpy() for name in classes}
    ranked = [name for name in classes if 0 < truth[name].sum() < len(table)]
    p = table[[f"p_{name}" for name in classes]].to_numpy()
    return {
        "n": len(table),
        **share_with_interval("accuracy", correct),
        "balanced_accuracy": float(recall[n > 0].mean()),
        "f1_macro": f1.mean(),
        "roc_auc": mean_auc(table["label"].to_numpy(), p, classes),
        "average_precision": _mean(
            [average_precision_score(truth[k], table[f"p_{k}"]) for k in ranked]
        ),
        "per_class": {
            name: {"precision": precision[k], "recall": recall[k], "f1": f1[k], "n": n[k]}
            for k, name in enumerate(classes)
        },
    }


def _mean(values: list[float]) -> float | None:
    return float(np.mean(values)) if values else None


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
