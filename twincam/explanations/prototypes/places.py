"""Where the cells of a map lie in the image, and their receptive fields."""

from collections.abc import Sequence

import numpy as np

Box = tuple[int, int, int, int]


def cell_centre(cell: Sequence[int] | np.ndarray, stride: int) -> tuple[int, int]:
    """Return the pixel ``(y, x)`` at the centre of a cell, given as row and column."""
    y, x = (int(place) * stride + stride // 2 for place in cell)
    return y, x


def field_box(centre: tuple[int, int], field: int, size: int) -> Box:
    """Return left, top, right, bottom of a receptive field, cut at the image's border."""
    (y, x), half = centre, field // 2
    return max(0, x - half), max(0, y - half), min(size, x + half + 1), min(size, y + half + 1)
