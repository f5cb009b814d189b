"""Figures and choices of the page that no earlier stage made."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

PAGE = Path(__file__).with_name("index.html")


MOST_PANELS = 40
"""Panels of one kind on the page; the gallery shows every wrong prediction."""


def panels_of(folder: Path, ids: Sequence[str]) -> list[Path]:
    """Return the panels of ``ids`` that exist in ``folder``, in order, at most `MOST_PANELS`."""
    found = [path for path in (folder / f"{name}.png" for name in ids) if path.is_file()]
    return found[:MOST_PANELS]


def fitting_figure(history: pd.DataFrame) -> Any:
    """Draw loss and accuracy of training and validation over the epochs."""
    from twincam.figures.drawing import new_figure

    figure = new_figure(8.4, 3.2)
    for axes, what in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        for part in ("train", "val"):
            axes.plot(history["epoch"], history[f"{part}_{what}"], marker="o", label=part)
        axes.set(xlabel="epoch", title=what)
        axes.legend(frameon=False)
    return figure


def prototype_fitting_figure(history: pd.DataFrame) -> Any:
    """Draw each term of the prototype network's loss and its training accuracy over the epochs.

    Args:
        history: ``reports/protopnet_history.csv``; one phase after the other.
    """
    from twincam.figures.drawing import new_figure

    figure = new_figure(8.4, 3.2)
    losses, accuracy = figure.subplots(1, 2)
    for name in history.columns.drop(["phase", "epoch", "learning_rate", "accuracy"]):
        losses.plot(history["epoch"], history[name], marker=".", label=name)
    accuracy.plot(history["epoch"], history["accuracy"], marker=".")
    for axes, what in ((losses, "loss by term"), (accuracy, "training accuracy")):
        axes.set(xlabel="epoch", title=what)
        for first in history.groupby("phase")["epoch"].min():
            axes.axvline(first - 0.5, color="0.8", linestyle=":", zorder=0)
    losses.legend(frameon=False, fontsize=7)
    return figure
