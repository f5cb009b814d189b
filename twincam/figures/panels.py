"""Draw one prediction's explanation: image, evidence, twins, influence, counterfactual."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw
from scipy.ndimage import binary_dilation

from twincam.explanations.counterfactuals import paste_cells
from twincam.explanations.maps import pixels_of_cells, shows_place
from twincam.figures.drawing import AGAINST, FOR, INK, MUTED, PAPER, write_line
from twincam.figures.heat import heat_overlay
from twincam.figures.text import Face, certainty, fitted, wrapped

BIG, TILE, GAP, CAPTION = 224, 112, 16, 38
TITLE = 24
ROW = TITLE + TILE + CAPTION + 8
SCOPE, LINE = 12, 16
ASIDE = 320
RIGHT, WRONG = (20, 110, 60), (176, 32, 32)


@dataclass(frozen=True)
class Tile:
    """One training image with its caption."""

    image: np.ndarray
    similarity: float
    label: str
    predicted: str


@dataclass(frozen=True)
class Case:
    """Everything a panel shows.

    ``row`` has ``path, label, predicted, confidence``, the verdict as ``statement`` and ``remark``,
    and, of the image as it is, the class ``as_is`` and its ``margin``; ``scope`` names what the
    model was trained on; the image is bytes ``[S,S,3]``, the mask ``[S,S]`` may be all zero, and
    heat of ``heat_scale`` is drawn at full intensity. ``shared`` ``[h,w]`` is the evidence shared
    with the first twin, all zero if its space has no such map; ``swapped``, bool ``[h,w]``, the
    cells that the counterfactual replaces.
    """

    row: pd.Series
    scope: str
    image: np.ndarray
    heat: np.ndarray
    shared: np.ndarray
    swapped: np.ndarray
    mask: np.ndarray
    heat_scale: float
    twins: Sequence[Tile]
    neighbourhood: Sequence[Tile]
    influential: Sequence[Tile]
    counterfactual: Sequence[Tile]
    semifactual: Sequence[Tile]


def draw_panel(case: Case) -> Image.Image:
    """Return the panel of ``case``: four large pictures above rows of small ones."""
    columns = max(len(case.twins), len(case.neighbourhood), len(case.influential))
    width = max(4 * (BIG + GAP) + GAP, GAP + columns * (TILE + 10) + ASIDE)
    header = _header(case, width)
    pictures = _pictures(case, width)
    rows = _rows(case, width)
    panel = Image.new("RGB", (width, header.height + pictures.height + rows.height), PAPER)
    top = 0
    for part in (header, pictures, rows):
        panel.paste(part, (0, top))
        top += part.height
    return panel


def _header(case: Case, panel_width: int) -> Image.Image:
    width = panel_width - 2 * GAP
    lines = wrapped(f"{case.row.remark} {case.scope}".strip(), width, SCOPE)
    header = Image.new("RGB", (panel_width, 56 + LINE * len(lines) + 10), PAPER)
    draw = ImageDraw.Draw(header)
    right = case.row.label == case.row.predicted
    text = f"{case.row.statement[0].upper()}{case.row.statement[1:]}"
    write_line(
        draw, (GAP, 12), text, width=width, face=Face(17, bold=True), ink=RIGHT if right else WRONG
    )
    detail = (
        f"predicted {case.row.predicted} ({certainty(case.row.confidence)}), "
        f"labelled {case.row.label}: "
        f"{'correct' if right else 'wrong'}   ·   {case.row.path}"
    )
    write_line(draw, (GAP, 36), detail, width=width, face=Face(12))
    for number, line in enumerate(lines):
        place = (GAP, 56 + LINE * number)
        write_line(draw, place, line, width=width, face=Face(SCOPE), ink=MUTED)
    return header


def _pictures(case: Case, width: int) -> Image.Image:
    strip = Image.new("RGB", (width, TITLE + BIG + 30), PAPER)
    draw = ImageDraw.Draw(strip)
    evidence = outline(heat_overlay(case.image, case.heat, case.heat_scale), case.mask)
    placed = shows_place(case.heat)
    title = f"Evidence, margin {case.row.margin:.2f}"
    title = title if placed else f"{title}: a single cell"
    shown = [("Image", Image.fromarray(case.image)), (title, evidence)]
    if case.twins and case.shared.any() and shows_place(case.shared):
        most = float(np.abs(case.shared).max())
        shared = heat_overlay(case.image, case.shared, most)
        shown.append((f"Similarity to twin 1: {case.twins[0].similarity:.2f}", shared))
    if case.counterfactual:
        partner = case.counterfactual[0]
        changed = paste_cells(case.image[None], partner.image[None], case.swapped[None])[0]
        size = len(case.image)
        patches = outline(Image.fromarray(changed), pixels_of_cells(case.swapped[None], size)[0])
        count = f"{case.swapped.sum()} of {case.swapped.size} cells"
        shown.append((f"Swap {count}: {partner.predicted}", patches))
    for column, (title, picture) in enumerate(shown):
        left = GAP + column * (BIG + GAP)
        write_line(draw, (left, 0), title, width=BIG, face=Face(bold=True))
        strip.paste(picture.resize((BIG, BIG), Image.Resampling.LANCZOS), (left, TITLE))
    _legend(draw, (2 * GAP + BIG, TITLE + BIG + 6), placed, bool(case.mask.any()))
    return strip


def _legend(draw: ImageDraw.ImageDraw, at: tuple[int, int], heat: bool, truth: bool) -> None:
    left, top = at
    colours = ((left, FOR, "for"), (left + 55, AGAINST, "against")) if heat else ()
    for x, colour, word in colours:
        draw.rectangle((x, top + 2, x + 11, top + 13), fill=tuple(int(c) for c in colour))
        write_line(draw, (x + 16, top), word, width=90, face=Face(12))
    if truth:
        draw.rectangle((left + 130, top + 2, left + 141, top + 13), outline=INK, width=2)
        write_line(draw, (left + 146, top), "ground truth", width=80, face=Face(12))


def _rows(case: Case, width: int) -> Image.Image:
    predicted = case.row.as_is
    disagree = sum(tile.label != predicted for tile in case.neighbourhood)
    of_any = f"{disagree} of {len(case.neighbourhood)} disagree with “{predicted}”"
    left, right = (
        [(title, tiles) for title, tiles in groups if tiles]
        for groups in (
            [
                (f"Twins: similarity to training images labelled {predicted}", case.twins),
                (f"Nearest training images of any label: {of_any}", case.neighbourhood),
                ("Influence: training images that support the prediction most", case.influential),
            ],
            [
                ("Nearest image with another prediction", case.counterfactual),
                (f"Semifactual: still {predicted}", case.semifactual),
            ],
        )
    )
    every = [tile for _, tiles in (*left, *right) for tile in tiles]
    labels = fitted([tile.label for tile in every], 62, Face(12, bold=True))
    errors = fitted([tile.predicted for tile in every], TILE - 56, Face(11))
    strip = Image.new("RGB", (width, max(len(left), len(right)) * ROW + GAP), PAPER)
    draw = ImageDraw.Draw(strip)
    for groups, start, end in ((left, GAP, width - ASIDE), (right, width - ASIDE + GAP, width)):
        for number, (title, tiles) in enumerate(groups):
            top = number * ROW
            write_line(draw, (start, top), title, width=end - start - GAP, face=Face(bold=True))
            for column, tile in enumerate(tiles):
                place = (start + column * (TILE + 10), top + TITLE)
                caption = (labels[tile.label], errors[tile.predicted])
                _tile(strip, draw, tile, place, caption, tile.label == predicted)
    return strip


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
    caption: tuple[str, str],
    agrees: bool,
) -> None:
    x, y = at
    label, error = caption
    picture = Image.fromarray(tile.image).resize((TILE, TILE), Image.Resampling.LANCZOS)
    panel.paste(picture, at)
    colour = tuple(int(c) for c in (FOR if agrees else AGAINST))
    draw.rectangle((x, y + TILE, x + TILE - 1, y + TILE + 3), fill=colour)
    write_line(draw, (x, y + TILE + 6), label, width=62, face=Face(12, bold=True))
    similarity = f"{tile.similarity:.3g}"
    write_line(draw, (x + TILE - 44, y + TILE + 6), similarity, width=46, face=Face(12))
    if tile.predicted != tile.label:
        text = f"predicted {error}"
        write_line(draw, (x, y + TILE + 21), text, width=TILE, face=Face(11), ink=WRONG)
