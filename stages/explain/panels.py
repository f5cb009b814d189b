"""Draw one prediction's explanation: image, evidence, twins, neighbourhood, counterfactual."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw
from scipy.ndimage import binary_dilation

from stages.common.figures import (
    AGAINST,
    FOR,
    INK,
    MUTED,
    PAPER,
    heat_overlay,
    wrapped,
    write_line,
)

BIG, TILE, GAP, CAPTION = 224, 120, 16, 38
KNOWS, LINE = 12, 16
RIGHT, WRONG = (20, 110, 60), (176, 32, 32)


@dataclass(frozen=True)
class Tile:
    """One training image with what is said under it."""

    image: np.ndarray
    similarity: float
    label: str
    predicted: str


@dataclass(frozen=True)
class Case:
    """Everything a panel shows.

    ``row`` has ``path, label, predicted, confidence, margin`` and, ``in_words``, the verdict;
    ``knows`` says what the model has seen; the image is bytes ``[S,S,3]``, the mask ``[S,S]`` may
    be all zero, and heat of ``heat_scale`` is drawn at full strength.
    """

    row: pd.Series
    knows: str
    image: np.ndarray
    heat: np.ndarray
    mask: np.ndarray
    heat_scale: float
    twins: Sequence[Tile]
    neighbourhood: Sequence[Tile]
    counterfactual: Sequence[Tile]


def draw_panel(case: Case) -> Image.Image:
    """Return the panel of ``case``, 2 large pictures beside 3 rows of small ones."""
    columns = max(len(case.twins), len(case.neighbourhood), 3)
    rows_left = 2 * BIG + 4 * GAP + 2 * 24
    width = GAP * 3 + BIG + columns * (TILE + 10)
    header = _header(case, width)
    height = max(3 * (TILE + CAPTION + 24 + 12), rows_left) + GAP
    panel = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(panel)
    _evidence(panel, draw, case)
    disagree = sum(tile.label != case.row.predicted for tile in case.neighbourhood)
    rows = [
        (f"Twins: nearest training images labelled {case.row.predicted}", case.twins),
        (
            "Nearest training images of any label: "
            f"{disagree} of {len(case.neighbourhood)} disagree with “{case.row.predicted}”",
            case.neighbourhood,
        ),
        ("Counterfactual: nearest training image predicted otherwise", case.counterfactual),
    ]
    left = 2 * GAP + BIG
    for number, (title, tiles) in enumerate(rows):
        top = number * (TILE + CAPTION + 24 + 12)
        write_line(draw, (left, top), title, width=width - left - GAP, bold=True)
        for column, tile in enumerate(tiles):
            _tile(panel, draw, tile, (left + column * (TILE + 10), top + 24), case.row.predicted)
    whole = Image.new("RGB", (width, header.height + height), PAPER)
    whole.paste(header, (0, 0))
    whole.paste(panel, (0, header.height))
    return whole


def _header(case: Case, panel_width: int) -> Image.Image:
    width = panel_width - 2 * GAP
    lines = wrapped(case.knows, width, KNOWS)
    header = Image.new("RGB", (panel_width, 56 + LINE * len(lines) + 10), PAPER)
    draw = ImageDraw.Draw(header)
    right = case.row.label == case.row.predicted
    text = f"{case.row.in_words[0].upper()}{case.row.in_words[1:]}"
    write_line(
        draw, (GAP, 12), text, width=width, size=17, bold=True, ink=RIGHT if right else WRONG
    )
    strength = f"{case.row.confidence:.0%}, margin {case.row.margin:.2f}"
    detail = (
        f"predicted {case.row.predicted} ({strength}), labelled {case.row.label}: "
        f"{'correct' if right else 'wrong'}   ·   {case.row.path}"
    )
    write_line(draw, (GAP, 36), detail, width=width, size=12)
    for number, line in enumerate(lines):
        place = (GAP, 56 + LINE * number)
        write_line(draw, place, line, width=width, size=KNOWS, ink=MUTED)
    return header


def _evidence(panel: Image.Image, draw: ImageDraw.ImageDraw, case: Case) -> None:
    square = (BIG, BIG)
    top = 0
    write_line(draw, (GAP, top), "Image", width=BIG, bold=True)
    panel.paste(
        Image.fromarray(case.image).resize(square, Image.Resampling.LANCZOS), (GAP, top + 24)
    )
    top += 24 + BIG + GAP
    title = "Evidence (Grad-CAM)"
    write_line(draw, (GAP, top), title, width=BIG, bold=True)
    overlay = outline(heat_overlay(case.image, case.heat, case.heat_scale), case.mask)
    panel.paste(overlay.resize(square, Image.Resampling.LANCZOS), (GAP, top + 24))
    top += 24 + BIG + 6
    for x, colour, word in ((GAP, FOR, "for"), (GAP + 60, AGAINST, "against")):
        draw.rectangle((x, top + 2, x + 11, top + 13), fill=tuple(int(c) for c in colour))
        write_line(draw, (x + 16, top), word, width=90, size=12)
    if case.mask.any():
        draw.rectangle((GAP + 140, top + 2, GAP + 151, top + 13), outline=INK, width=2)
        write_line(draw, (GAP + 156, top), "known truth", width=80, size=12)


def outline(picture: Image.Image, mask: np.ndarray) -> Image.Image:
    """Draw the border of ``mask`` ``[S,S]`` into ``picture``, white with a dark rim."""
    inside = mask > 0
    pixels = np.array(picture)
    ring = binary_dilation(inside, iterations=3) & ~binary_dilation(inside, iterations=1)
    pixels[binary_dilation(ring) & ~inside] = 20
    pixels[ring] = 255
    return Image.fromarray(pixels)


def _tile(
    panel: Image.Image,
    draw: ImageDraw.ImageDraw,
    tile: Tile,
    at: tuple[int, int],
    predicted: str,
) -> None:
    x, y = at
    picture = Image.fromarray(tile.image).resize((TILE, TILE), Image.Resampling.LANCZOS)
    panel.paste(picture, at)
    agrees = tile.label == predicted
    colour = tuple(int(c) for c in (FOR if agrees else AGAINST))
    draw.rectangle((x, y + TILE, x + TILE - 1, y + TILE + 3), fill=colour)
    write_line(draw, (x, y + TILE + 6), f"{tile.label}", width=62, size=12, bold=True)
    similarity = f"{tile.similarity:.3f}"
    write_line(draw, (x + TILE - 48, y + TILE + 6), similarity, width=50, size=12)
    if tile.predicted != tile.label:
        text = f"predicted {tile.predicted}"
        write_line(draw, (x, y + TILE + 21), text, width=TILE, size=11, ink=WRONG)
