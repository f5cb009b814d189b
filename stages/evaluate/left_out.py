"""Draw the recall of each source when it is excluded from training."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from twincam.figures.drawing import (
    AGAINST,
    FOR,
    add_legend,
    new_figure,
    save_figure,
    save_picture,
    skipped_picture,
)
from twincam.figures.text import plot_labels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HATCHES = ("", "///", "...", "xxx", "ooo")
BARS = 120
"""Most bars that fit on a page."""
COLOURS = (FOR / 255, AGAINST / 255, (0.1, 0.55, 0.4), (0.7, 0.65, 0.1), (0.5, 0.5, 0.5))


def draw_left_out(path: Path, details: Mapping[str, Any]) -> None:
    """Write the `left_out_figure` of ``leave_one_source_out``'s details, or why it was skipped."""
    if "sources" in details:
        save_figure(path, left_out_figure(details["sources"]))
    else:
        save_picture(path, skipped_picture(details["skipped"]))


def left_out_figure(left_out: Mapping[str, Mapping[str, Any]]) -> "Figure":
    """Draw the recall of each excluded source with its interval, one bar for each of its classes.

    If there are more than `BARS`, those of the lowest recall.

    Args:
        left_out: by source, as in the JSON file:
            ``per_class.<label>.{recall,recall_low,recall_high,n}``.
    """
    bars = [
        (source, label, one)
        for source, found in left_out.items()
        for label, one in found["per_class"].items()
    ]
    lowest = sorted(range(len(bars)), key=lambda bar: bars[bar][2]["recall"])[:BARS]
    bars = [bars[bar] for bar in sorted(lowest)]
    labels = sorted({label for _, label, _ in bars})
    handles = {}
    figure = new_figure(8.4, 1.2 + 0.36 * len(bars))
    axes = figure.subplots()
    for number, label in enumerate(labels):
        rows = [row for row, bar in enumerate(bars) if bar[1] == label]
        recall, low, high = (
            np.array([bars[row][2][key] for row in rows])
            for key in ("recall", "recall_low", "recall_high")
        )
        error = np.maximum([recall - low, high - recall], 0)
        colour = COLOURS[number % len(COLOURS)]
        hatch = HATCHES[number // len(COLOURS) % len(HATCHES)]
        handles[label] = axes.barh(
            -np.array(rows), recall, 0.6, xerr=error, color=colour, hatch=hatch, capsize=3
        )
    shown = plot_labels([source for source, _, _ in bars])
    names = plot_labels(labels)
    axes.set_yticks(
        -np.arange(len(bars)), [f"{shown[source]} (n = {one['n']})" for source, _, one in bars]
    )
    axes.set(xlim=(0, 1), xlabel="recall when excluded from training")
    add_legend(axes, {names[label]: handle for label, handle in handles.items()})
    return figure
