"""Confusion matrix, ROC, reliability and risk-coverage figures."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.metrics import confusion_matrix

from twincam.figures.drawing import AGAINST, FOR, add_legend, legend_width, new_figure
from twincam.figures.text import plot_labels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LARGEST, COUNTED, CURVES = 14.0, 25, 40
"""Largest side of a matrix in inches, most classes with printed counts, most coloured curves."""


def confusion_figure(table: pd.DataFrame, classes: Sequence[str]) -> "Figure":
    """Draw a confusion matrix for each evaluated split; with counts for up to `COUNTED` classes."""
    splits = sorted(table["split"].unique(), reverse=True)
    names = list(plot_labels(classes).values())
    letters = max(map(len, names))
    side = min(2.2 + 0.6 * len(classes) + 0.07 * max(0, letters - 8), LARGEST)
    upright, small = letters > 12 or len(classes) > 8, min(10.0, 500 / len(classes))
    figure = new_figure(side * len(splits), side)
    for axes, name in zip(figure.subplots(1, len(splits), squeeze=False)[0], splits, strict=True):
        rows = table[table["split"] == name]
        counts = confusion_matrix(rows["label"], rows["predicted"], labels=list(classes))
        shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for row, column in np.ndindex(*counts.shape) if len(classes) <= COUNTED else ():
            ink = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, counts[row, column], ha="center", va="center", color=ink)
        turned = {"rotation": 90} if upright else {"rotation": 30, "ha": "right"}
        axes.set_xticks(range(len(classes)), names, fontsize=small, **turned)
        axes.set_yticks(range(len(classes)), names, fontsize=small)
        axes.set(xlabel="predicted", ylabel="true", title=f"{name}, n = {len(rows)}")
        axes.spines[:].set_visible(False)
    return figure


def roc_figure(curves: pd.DataFrame) -> "Figure":
    """Draw the ROC of each class against the rest; for two classes, the curves mirror each other.

    Curves after the first `CURVES` are grey, since more colours cannot be distinguished.
    """
    shown = plot_labels(curves["class"].unique())
    points_of = {
        f"{split}: {shown[str(name)]}": points[["fpr", "tpr"]].to_numpy()
        for (split, name), points in curves.groupby(["split", "class"], sort=True)
    }
    named = ["chance", *list(points_of)[:CURVES]]
    figure = new_figure(4.4 + legend_width(named), 4.2)
    axes = figure.subplots()
    handles = {"chance": axes.plot([0, 1], [0, 1], color="0.7", linestyle=":")[0]}
    for number, (name, points) in enumerate(points_of.items()):
        (handles[name],) = axes.step(points[:, 0], points[:, 1], where="post")
        if number >= CURVES:
            handles[name].set(color="0.8", linestyle="-", zorder=0)
    axes.set(xlabel="false positive rate", ylabel="true positive rate", title="ROC", aspect="equal")
    add_legend(axes, {name: handles[name] for name in named})
    return figure


def reliability_figure(diagrams: Mapping[str, Mapping[str, pd.DataFrame]]) -> "Figure":
    """Draw the accuracy of predictions against their confidence.

    Args:
        diagrams: by split and by moment (before, after the temperature), from
            `stages.evaluate.calibration.reliability`; a row of panels for each split.
    """
    if not diagrams:
        figure = new_figure(8.4, 0.6)
        figure.text(0.02, 0.5, "No reliability diagram: too few images.", va="center")
        return figure
    columns = max(len(moments) for moments in diagrams.values())
    figure = new_figure(4.6 * columns, 3.9 * len(diagrams))
    panels = figure.subplots(len(diagrams), columns, squeeze=False)
    for row, (split, moments) in zip(panels, diagrams.items(), strict=True):
        bounds = pd.concat(moments.values())[["low", "expected_low"]]
        lowest = max(0.0, bounds.to_numpy().min() - 0.05)
        for axes, (moment, bins) in zip(row, moments.items(), strict=True):
            _draw_reliability(axes, bins)
            axes.set(ylim=(lowest, 1.02), title=f"{split}, n = {bins['n'].sum()}, {moment} scaling")
    panels[0][0].legend(loc="lower right", frameon=False)
    return figure


def _draw_reliability(axes: Any, bins: pd.DataFrame) -> None:
    places = np.arange(len(bins))
    axes.bar(
        places,
        bins["expected_high"] - bins["expected_low"],
        0.7,
        bins["expected_low"],
        color="0.88",
        label="95 % range if calibrated",
    )
    axes.hlines(
        bins["confidence"], places - 0.35, places + 0.35, color="0.3", label="mean confidence"
    )
    errors = [bins["right"] - bins["low"], bins["high"] - bins["right"]]
    axes.errorbar(
        places,
        bins["right"],
        np.maximum(errors, 0),
        fmt="o",
        color=FOR / 255,
        capsize=3,
        label="accuracy",
    )
    names = [f"{100 * value:.1f} %" for value in bins["confidence"]]
    axes.set_xticks(places, names, rotation=90 if len(bins) > 5 else 0)
    axes.set_xlabel(f"mean confidence of {len(bins)} equally sized bins")


def risk_coverage_figure(
    curves: pd.DataFrame, figures: Mapping[str, Mapping[str, Any]]
) -> "Figure":
    """Draw the error rate of the most confident images against their share.

    Args:
        curves: from `stages.evaluate.selective.risk_coverage`.
        figures: by split, with the block ``risk_coverage``.
    """
    figure = new_figure(5.6, 4.2)
    axes = figure.subplots()
    for (split, points), colour in zip(
        curves.groupby("split", sort=True), (AGAINST / 255, FOR / 255), strict=False
    ):
        one = figures[str(split)]["risk_coverage"]
        value, low, high, _ = one["aurc"]
        interval = f"{value:.3f} ({low:.3f} to {high:.3f})"
        axes.step(
            points["coverage"],
            points["risk"],
            where="post",
            color=colour,
            label=f"{split}, n = {one['n']}: area {interval}",
        )
        axes.axhline(
            one["aurc_random"],
            color=colour,
            linestyle=":",
            label=f"rejected at random: area {one['aurc_random']:.3f}",
        )
    axes.set(xlim=(0, 1), xlabel="share of images kept, most confident first")
    axes.set(ylabel="error rate among these", title="Risk-coverage curve")
    axes.set_ylim(0, max(1.6 * curves["risk"].max(), 0.05))
    axes.legend(loc="upper left", frameon=False)
    return figure
