"""Draw the accuracy under corruption, and the images that flip first."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw
from scipy.special import softmax

from stages.robustness.ladders import LADDERS
from twincam.figures.drawing import (
    AGAINST,
    FOR,
    MUTED,
    PAPER,
    new_figure,
    text_picture,
    write_line,
)
from twincam.figures.text import Face, fitted

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TILE, GAP, COLUMNS, TEXT = 176, 16, 3, 64
NAME = 124


class Card(NamedTuple):
    """An image, bytes ``[S,S,3]``, clean and corrupted, with the corruption and predictions."""

    path: str
    clean: np.ndarray
    before: str
    corrupted: np.ndarray
    done: str
    after: str


def curves_figure(table: pd.DataFrame, clean: Mapping[str, Any], split: str) -> "Figure":
    """Draw accuracy and flip rate over severity, a panel for each corruption.

    Args:
        table: `curve` of one split.
        clean: `figures` of the same unmodified images.
        split: its name.
    """
    figure = new_figure(9.6, 5.4)
    panels = figure.subplots(2, 3, sharey=True)
    for axes, (name, ladder) in zip(panels.flat, LADDERS.items(), strict=True):
        rows = table[table["corruption"] == name].sort_values("severity")
        for key, colour, label in (
            ("accuracy", AGAINST / 255, "accuracy"),
            ("flip_rate", FOR / 255, "flip rate"),
        ):
            axes.plot(rows["severity"], rows[key], "o-", color=colour, label=label)
            axes.fill_between(
                rows["severity"], rows[f"{key}_low"], rows[f"{key}_high"], color=colour, alpha=0.18
            )
        axes.axhline(
            clean["accuracy"].value, color="0.4", lw=1, ls="--", label="accuracy, unmodified"
        )
        axes.set(xlabel=ladder.axis, ylim=(0, 1.02), xticks=sorted(ladder.severities))
        if name in ("jpeg", "rescale", "crop"):
            axes.invert_xaxis()
    panels[0, 0].legend(frameon=False, loc="center left", fontsize=9)
    figure.suptitle(f"{split}, n = {clean['n']}; bands: 95 % intervals", fontsize=10)
    return figure


def flips_picture(cards: Sequence[Card]) -> Image.Image:
    """Draw the images whose prediction flips first, unmodified next to corrupted."""
    if not cards:
        return text_picture("No prediction flipped under any corruption.")
    columns = min(COLUMNS, len(cards))
    step = (2 * TILE + 2 * GAP, TILE + TEXT + GAP)
    size = (columns * step[0] + GAP, -(-len(cards) // columns) * step[1] + GAP)
    picture = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(picture)
    for number, card in enumerate(cards):
        row, column = divmod(number, columns)
        left, top = GAP + column * step[0], GAP + row * step[1]
        write_line(draw, (left, top), card.path, width=2 * TILE, face=Face(12, bold=True))
        below = top + 20 + TILE + 4
        for shift, image, lines in (
            (0, card.clean, ("unmodified", card.before)),
            (TILE + 4, card.corrupted, (card.done, card.after)),
        ):
            square = Image.fromarray(image).resize((TILE, TILE), Image.Resampling.LANCZOS)
            picture.paste(square, (left + shift, top + 20))
            write_line(draw, (left + shift, below), lines[0], width=TILE, face=Face(11), ink=MUTED)
            write_line(draw, (left + shift, below + 16), lines[1], width=TILE, face=Face(12))
    return picture


def prediction_text(logits: np.ndarray, classes: Sequence[str]) -> str:
    """Return the predicted class, shortened to fit a tile, and its probability, from ``[K]``."""
    p = softmax(logits.astype(np.float64))
    shown = fitted(classes, NAME, Face(12))[classes[int(p.argmax())]]
    return f"{shown}, {100 * p.max():.0f} %"
