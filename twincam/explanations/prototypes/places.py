"""Where the cells of a map lie in the image, and their receptive fields."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

Box = tuple[int, int, int, int]


class Field(NamedTuple):
    """The receptive fields of a square map's cells, in pixels.

    ``side`` is that of each; ``stride`` the distance from one cell to the next; ``first`` the row
    (and column) at the centre of the first cell; ``cells`` how many there are along a side.
    """

    side: int
    stride: int
    first: int
    cells: int


def cell_centre(cell: Sequence[int] | np.ndarray, field: Field) -> tuple[int, int]:
    """Return the pixel ``(y, x)`` at the centre of a cell, given as row and column."""
    y, x = cell_centres(np.asarray(cell), field).tolist()
    return y, x


def cell_centres(cells: np.ndarray, field: Field) -> np.ndarray:
    """Return the pixels at the centres of cells; both are rows and columns, ``[...,2]``."""
    return cells * field.stride + field.first


def nearest_cells(pixels: np.ndarray, field: Field) -> np.ndarray:
    """Return the cell nearest to each pixel; both are rows and columns, ``[...,2]``."""
    cells = (pixels - field.first + field.stride // 2) // field.stride
    return cells.clip(0, field.cells - 1)


def field_box(centre: tuple[int, int], side: int, size: int) -> Box:
    """Return left, top, right, bottom of a receptive field, cut at the image's border."""
    (y, x), half = centre, side // 2
    return max(0, x - half), max(0, y - half), min(size, x + half + 1), min(size, y + half + 1)
