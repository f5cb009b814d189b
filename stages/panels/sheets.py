"""Contact sheets: the image parts where the heat peaks, and the errors of each kind."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw

from twincam.explanations.localisation import peaks
from twincam.explanations.maps import shows_place
from twincam.figures.drawing import INK, PAPER, text_picture, write_line
from twincam.figures.heat import heat_overlay
from twincam.figures.text import Face, fitted
from twincam.files.shards import Rows

TILE, GAP, COLUMNS, MOST = 96, 8, 9, 18
CROP = 56 / 224


def peak_crops(maps: np.ndarray, images: np.ndarray) -> np.ndarray:
    """Return bytes ``[N,c,c,3]``: a quarter of each image's side around the peak of its map.

    Args:
        maps: ``[N,h,w]``.
        images: bytes ``[N,S,S,3]``; crops at the border are moved inside.
    """
    size = images.shape[1]
    side = round(CROP * size)
    corners = np.clip(peaks(maps, size) - side // 2, 0, size - side)
    return np.stack(
        [
            image[row : row + side, column : column + side]
            for image, (row, column) in zip(images, corners, strict=True)
        ]
    )


def peaks_sheet(
    queries: pd.DataFrame, maps: np.ndarray, images: Rows, rows: np.ndarray
) -> Image.Image:
    """Return the image parts where the heat peaks, class by class, the hottest first.

    A patch that recurs in many images, and is not part of what defines the class, is a shortcut
    that the model has learned.

    Args:
        queries: ``as_is``, the class that the heat is for, of N images.
        maps: ``[N,h,w]``.
        images: bytes ``[M,S,S,3]``, of which only those that are drawn are read.
        rows: the N images among them, ``[N]``.
    """
    if not shows_place(maps):
        return text_picture("The heat maps have a single cell and cannot localise.")
    found = []
    for name in sorted(queries["as_is"].unique()):
        own = np.flatnonzero(queries["as_is"] == name)
        hottest = own[np.argsort(-maps[own].max(axis=(1, 2)), kind="stable")][:MOST]
        title = f"Heat-map peaks for “{name}”: the {len(hottest)} strongest of {len(own)}"
        found.append((title, list(peak_crops(maps[hottest], images[rows[hottest]]))))
    return _sheet(found)


def errors_sheet(
    queries: pd.DataFrame, maps: np.ndarray, images: Rows, rows: np.ndarray, heat_scale: float
) -> Image.Image:
    """Return the wrong predictions, a row of pictures with their evidence for each kind of error.

    Args:
        queries: ``label``, ``predicted`` and ``confidence`` of N images.
        maps: ``[N,h,w]``.
        images: as for `peaks_sheet`.
        rows: the same.
        heat_scale: the evidence shown in full colour.
    """
    wrong = queries.reset_index(drop=True)
    wrong = wrong[wrong["label"] != wrong["predicted"]]
    found = []
    note = "" if shows_place(maps) else "; maps of a single cell cannot localise"
    for (label, predicted), kind in wrong.groupby(["label", "predicted"]):
        shown = kind.sort_values("confidence", ascending=False, kind="stable").index[:MOST]
        title = f"“{label}” predicted as “{predicted}”: {len(kind)}, the most confident first{note}"
        overlays = [np.asarray(heat_overlay(images[rows[i]], maps[i], heat_scale)) for i in shown]
        found.append((title, overlays))
    return _sheet(found) if found else text_picture("No wrong prediction.")


def _sheet(rows: Sequence[tuple[str, Sequence[np.ndarray]]]) -> Image.Image:
    heights = [28 + -(-len(tiles) // COLUMNS) * (TILE + GAP) + GAP for _, tiles in rows]
    sheet = Image.new("RGB", (2 * GAP + COLUMNS * (TILE + GAP), sum(heights) + GAP), PAPER)
    draw, top, width = ImageDraw.Draw(sheet), GAP, sheet.width - 2 * GAP
    titles = fitted([title for title, _ in rows], width, Face(bold=True))
    for (title, tiles), height in zip(rows, heights, strict=True):
        write_line(draw, (GAP, top + 4), titles[title], width=width, face=Face(bold=True), ink=INK)
        for number, tile in enumerate(tiles):
            row, column = divmod(number, COLUMNS)
            picture = Image.fromarray(tile).resize((TILE, TILE), Image.Resampling.LANCZOS)
            place = (GAP + column * (TILE + GAP), top + 28 + row * (TILE + GAP))
            sheet.paste(picture, place)
        top += height
    return sheet
