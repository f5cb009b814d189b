"""Draw figures and pictures: one font, one colour map, deterministic PNG, names in any script."""

import io
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageDraw, PngImagePlugin

from twincam.figures.text import REGULAR, Face, fitted, font
from twincam.files.atomic import write_bytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, MUTED, PAPER = (28, 30, 34), (112, 118, 128), (255, 255, 255)

FOR, AGAINST = np.array([230, 97, 1]), np.array([60, 76, 170])
"""Colours of evidence for and against: orange and blue, distinct also for the colour-blind."""

LEGEND_ROWS = 14
"""Maximum number of entries in a column of a legend."""


def new_figure(width: float, height: float) -> "Figure":
    """Return an empty Matplotlib figure of ``width`` by ``height`` inches, without a window.

    A ``$`` in its text is not mathematics, and up to 40 lines of a plot differ in colour or dashes.
    """
    from cycler import cycler
    from matplotlib import color_sequences, rcParams
    from matplotlib.figure import Figure

    lines = cycler(linestyle=["-", "--", ":", "-."]) * cycler(color=color_sequences["tab10"])
    rcParams.update({"font.size": 10, "axes.spines.top": False, "axes.spines.right": False})
    rcParams.update({"text.parse_math": False, "axes.prop_cycle": lines})
    return Figure(figsize=(width, height), layout="constrained")


def save_figure(path: Path, figure: "Figure") -> None:
    """Write a Matplotlib figure as PNG, without the time or version in its metadata."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    write_bytes(path, buffer.getvalue())


def save_picture(path: Path, picture: Image.Image) -> None:
    """Write a picture as PNG."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", pnginfo=PngImagePlugin.PngInfo())
    write_bytes(path, buffer.getvalue())


def add_legend(axes: "Axes", handles: Mapping[str, Any]) -> None:
    """Add a legend of ``handles`` to the right of the axes, in as many columns as needed.

    Their names come from `plot_labels`. Names that begin with an underscore are shown as well.
    """
    axes.legend(
        list(handles.values()),
        list(handles),
        loc="upper left",
        bbox_to_anchor=(1, 1),
        frameon=False,
        ncols=-(-len(handles) // LEGEND_ROWS),
    )


def legend_width(names: Collection[str]) -> float:
    """Return the width of the `add_legend` of ``names``, in inches."""
    longest = max(map(len, names))
    return -(-len(names) // LEGEND_ROWS) * (0.7 + 0.085 * longest)


def write_line(
    draw: ImageDraw.ImageDraw,
    at: tuple[int, int],
    text: str,
    *,
    width: int,
    face: Face = REGULAR,
    ink: tuple[int, int, int] = INK,
) -> None:
    """Write one line of text, `fitted` to ``width`` pixels."""
    draw.text(at, fitted([text], width, face)[text], font=font(face), fill=ink)


def text_picture(sentence: str) -> Image.Image:
    """Return a picture of one sentence, in place of a figure that cannot be drawn."""
    strip = Image.new("RGB", (960, 52), PAPER)
    write_line(ImageDraw.Draw(strip), (16, 18), sentence, width=928)
    return strip


def skipped_picture(reason: str) -> Image.Image:
    """Return a picture of the ``reason`` why a stage measured nothing, in place of a figure."""
    return text_picture(f"Not measured: {reason}.")
