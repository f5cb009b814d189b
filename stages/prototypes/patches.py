"""Draw places in images: a cell's receptive field, cut out or framed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from twincam.explanations.prototypes.places import field_box
from twincam.figures.drawing import INK, PAPER
from twincam.figures.text import Face, font

Colour = tuple[int, int, int]

COLOURS: tuple[Colour, ...] = ((230, 97, 1), (0, 114, 178), (0, 140, 90))
"""Colours of frames; distinguishable with any kind of colour vision."""


@dataclass(frozen=True)
class Patch:
    """A place in an image: bytes ``[S,S,3]``, the cell's centre ``(y, x)``, a label."""

    image: np.ndarray
    centre: tuple[int, int]
    similarity: float
    label: str


def cut_out(patch: Patch, field: int, side: int) -> Image.Image:
    """Return the cell's receptive field, enlarged to a square of ``side`` pixels, its centre
    ringed.

    Beyond the image's border the square stays empty.
    """
    box = field_box(patch.centre, field, len(patch.image))
    width, height = box[2] - box[0], box[3] - box[1]
    scale = side / max(width, height)
    visible = Image.fromarray(patch.image).crop(box)
    enlarged = (max(1, round(width * scale)), max(1, round(height * scale)))
    square = Image.new("RGB", (side, side), PAPER)
    corner = ((side - enlarged[0]) // 2, (side - enlarged[1]) // 2)
    square.paste(visible.resize(enlarged, Image.Resampling.LANCZOS), corner)
    y, x = patch.centre
    left, top = corner[0] + (x - box[0]) * scale, corner[1] + (y - box[1]) * scale
    draw = ImageDraw.Draw(square)
    for radius, ink in ((12, INK), (11, PAPER), (10, INK)):
        draw.ellipse((left - radius, top - radius, left + radius, top + radius), outline=ink)
    return square


def draw_frames(
    image: np.ndarray, centres: Sequence[tuple[int, int]], field: int, side: int
) -> Image.Image:
    """Return ``image`` at ``side`` pixels with a numbered frame around each cell's receptive field.

    Args:
        image: bytes ``[S,S,3]``.
        centres: of at most as many cells as there are `COLOURS`.
        field: receptive field in pixels.
        side: of the picture in pixels.
    """
    picture = Image.fromarray(image).resize((side, side), Image.Resampling.LANCZOS)
    draw, scale = ImageDraw.Draw(picture), side / len(image)
    for centre, colour in zip(centres, COLOURS, strict=False):
        left, top, right, bottom = (
            round(edge * scale) for edge in field_box(centre, field, len(image))
        )
        draw.rectangle((left, top, right - 1, bottom - 1), outline=INK, width=4)
        draw.rectangle((left + 1, top + 1, right - 2, bottom - 2), outline=colour, width=2)
    for number, (centre, colour) in enumerate(zip(centres, COLOURS, strict=False), 1):
        y, x = (round(place * scale) for place in centre)
        draw.ellipse((x - 9, y - 9, x + 9, y + 9), fill=colour, outline=PAPER, width=2)
        draw.text((x, y), str(number), font=font(Face(12, bold=True)), fill=PAPER, anchor="mm")
    return picture
