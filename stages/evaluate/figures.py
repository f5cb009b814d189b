"""Confusion matrix and ROC as pictures."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.metrics import confusion_matrix

from stages.common.figures import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def confusion_figure(table: pd.DataFrame, classes: Sequence[str]) -> "Figure":
    """Draw a confusion matrix for each evaluated split, counts in the cells."""
    splits = sorted(table["split"].unique(), reverse=True)
    side = 2.2 + 0.6 * len(classes)
    figure = new_figure(side * len(splits), side)
    for axes, name in zip(figure.subplots(1, len(splits), squeeze=False)[0], splits, strict=True):
        rows = table[table["split"] == name]
        counts = confusion_matrix(rows["label"], rows["predicted"], labels=list(classes))
        shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for row, column in np.ndindex(*counts.shape):
            ink = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, counts[row, column], ha="center", va="center", color=ink)
        axes.set_xticks(range(len(classes)), classes, rotation=30, ha="right")
        axes.set_yticks(range(len(classes)), classes)
        axes.set(xlabel="predicted", ylabel="true", title=f"{name}, n = {len(rows)}")
        axes.spines[:].set_visible(False)
    return figure


def roc_figure(curves: pd.DataFrame) -> "Figure":
    """Draw the ROC of each class against the rest; of two classes, the curves mirror."""
    figure = new_figure(4.4, 4.2)
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="0.7", linestyle=":", label="chance")
    for (split, name), points in curves.groupby(["split", "class"], sort=True):
        axes.step(points["fpr"], points["tpr"], where="post", label=f"{name} ({split})")
    axes.set(xlabel="false positive rate", ylabel="true positive rate", title="ROC", aspect="equal")
    axes.legend(loc="lower right", frameon=False)
    return figure
