"""Figures of the audit: accuracies, and images excluded as copies."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageDraw

from twincam.figures.drawing import (
    AGAINST,
    FOR,
    MUTED,
    PAPER,
    new_figure,
    text_picture,
    write_line,
)
from twincam.figures.text import Face

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TILE, GAP = 200, 16


def shortcuts_figure(found: Mapping[str, Mapping[str, Any]]) -> "Figure":
    """Draw the accuracy of each descriptor, raw and harmonised, with its interval and chance."""
    figure = new_figure(8.4, 3.4)
    axes = figure.subplots()
    names = list(found["raw"])
    for place, colour, shift in (("raw", FOR / 255, 0.17), ("harmonised", AGAINST / 255, -0.17)):
        rows = np.arange(len(names))[::-1] + shift
        values = [found[place][name] for name in names]
        accuracy, low, high, _ = np.array([one["accuracy"] for one in values]).T
        bounds = [accuracy - low, high - accuracy]
        axes.barh(
            rows, accuracy, 0.3, xerr=np.maximum(bounds, 0), color=colour, label=place, capsize=3
        )
        for row, one in zip(rows, values, strict=True):
            axes.plot([one["chance_high"]] * 2, [row - 0.16, row + 0.16], color="black", lw=2)
    axes.set_yticks(np.arange(len(names))[::-1], names)
    axes.set(xlim=(0, 1), xlabel="accuracy on val; black: 95th percentile of chance")
    axes.legend(frameon=False, loc="lower right")
    return figure


def leaks_picture(pairs: Sequence[tuple[Image.Image, Image.Image, str, str]]) -> Image.Image:
    """Draw each excluded image next to its copy.

    Args:
        pairs: the excluded image, its copy, and a line for each.
    """
    if not pairs:
        return text_picture("No image was excluded as a copy.")
    width = 2 * TILE + 3 * GAP + 520
    picture = Image.new("RGB", (width, len(pairs) * (TILE + GAP) + GAP), PAPER)
    draw = ImageDraw.Draw(picture)
    for row, (left, right, first, second) in enumerate(pairs):
        top = GAP + row * (TILE + GAP)
        for column, image in enumerate((left, right)):
            square = image.copy()
            square.thumbnail((TILE, TILE), Image.Resampling.LANCZOS)
            picture.paste(square, (GAP + column * (TILE + GAP), top))
        text = 2 * TILE + 3 * GAP
        write_line(draw, (text, top + 60), first, width=520 - GAP, face=Face(bold=True))
        write_line(draw, (text, top + 88), second, width=520 - GAP, ink=MUTED)
    return picture
