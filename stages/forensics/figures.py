"""Draw the scores of every class and source with the threshold."""

from typing import TYPE_CHECKING

import pandas as pd

from twincam.figures.drawing import AGAINST, FOR, new_figure
from twincam.figures.text import plot_labels
from twincam.files.deliveries import EXTERNAL

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROWS = 120
"""Most rows that fit on a page."""


def scores_figure(table: pd.DataFrame, threshold: float, real_class: str | None) -> "Figure":
    """Draw a row of points for each split, source and class, the first `ROWS` of them.

    Args:
        table: of `stages.forensics.summary.summarise`.
        threshold: scores above it count as traces.
        real_class: the class of genuine images, drawn in another colour.
    """
    external = table["split"] == EXTERNAL
    where, label = (
        column.map(plot_labels(column.unique()))
        for column in (table["split"].where(~external, table["source"]), table["label"])
    )
    name = where + ": " + label
    rows = list(table.groupby(name, sort=False))[:ROWS]
    figure = new_figure(8.4, 1.2 + 0.42 * len(rows))
    axes = figure.subplots()
    for place, (_, own) in enumerate(rows):
        colour = (AGAINST if own["label"].iloc[0] == real_class else FOR) / 255
        axes.plot(own["score"], [-place] * len(own), "|", color=colour, markersize=11, alpha=0.6)
    axes.axvline(threshold, color="0.2", lw=1.2, ls="--")
    axes.set_yticks(
        [-place for place in range(len(rows))], [f"{title} (n = {len(own)})" for title, own in rows]
    )
    axes.set(xlabel="score; right of the line: traces found")
    return figure
