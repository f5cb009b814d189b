"""Draw the deletion and insertion curves of every method with those of its controls."""

from typing import TYPE_CHECKING

import pandas as pd

from stages.faithfulness.controls import CONTROLS
from stages.faithfulness.measures import BASELINES, KINDS
from twincam.figures.drawing import FOR, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INSTEAD = {"blur": "blurred image", "mean": "mean colour"}
WORDS = {
    "other_image": "another image's map",
    "rolled": "shifted map",
    "centre": "centre",
    "noise": "noise",
}
STYLES = dict(zip(CONTROLS, ("-", "--", ":", "-."), strict=True))


def curves_figure(table: pd.DataFrame) -> "Figure":
    """Draw a row of panels for each method: each kind of curve on each baseline.

    Args:
        table: `curve_table` of one method or several.
    """
    methods = list(table["method"].unique())
    columns = [(kind, baseline) for kind in KINDS for baseline in BASELINES]
    figure = new_figure(11, 0.9 + 2.7 * len(methods))
    panels = figure.subplots(len(methods), len(columns), sharex=True, sharey=True, squeeze=False)
    for row, method in zip(panels, methods, strict=True):
        for axes, (kind, baseline) in zip(row, columns, strict=True):
            shown = table[
                (table["method"] == method)
                & (table["kind"] == kind)
                & (table["baseline"] == baseline)
            ]
            for control, style in STYLES.items():
                line = shown[shown["map"] == control]
                axes.plot(
                    100 * line["fraction"], line["margin"], style, color="0.45", lw=1.2,
                    label=WORDS[control],
                )  # fmt: skip
            own = shown[shown["map"] == method]
            percent, colour = 100 * own["fraction"], FOR / 255
            axes.fill_between(
                percent, own["margin_low"], own["margin_high"], color=colour, alpha=0.18, lw=0
            )
            axes.plot(percent, own["margin"], "o-", ms=3, color=colour, label="the image's own map")
            axes.axhline(0, color="0.8", lw=0.8, zorder=0)
            axes.set(xticks=range(0, 101, 25))
            axes.set_title(f"{method}: {kind}, {INSTEAD[baseline]}", fontsize=9)
        row[0].set_ylabel("share of the margin", fontsize=9)
    for axes in panels[-1]:
        axes.set_xlabel(f"% of pixels {'deleted' if axes in panels[-1][:2] else 'inserted'}")
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=len(labels), frameon=False, fontsize=9
    )
    figure.suptitle(
        f"n = {table['n'].iloc[0]}; orange band: 95 % interval; with a faithful map the margin "
        "falls early under deletion and rises early under insertion",
        fontsize=10,
    )
    return figure
