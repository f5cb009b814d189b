"""Maps of evidence as arrays: their size, their cells in pixels, and whether they can localise."""

import numpy as np
from PIL import Image


def shows_place(maps: np.ndarray) -> bool:
    """Return whether maps ``[…,h,w]`` have more than one cell: a single one cannot localise."""
    return maps.shape[-2:] != (1, 1)


def full_colour(maps: np.ndarray) -> float:
    """Return the evidence of maps ``[Q,h,w]`` drawn in full colour: one map in ten exceeds it."""
    return max(float(np.quantile(np.abs(maps).max(axis=(1, 2)), 0.9)), 1e-12)


def resize_map(heat: np.ndarray, size: int) -> np.ndarray:
    """Scale a map ``[h,w]`` to ``[size,size]``, bilinear between the cells' centres; float32."""
    image = Image.fromarray(np.ascontiguousarray(heat, dtype=np.float32))
    return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR))


def centred_map(height: int, width: int) -> np.ndarray:
    """Return a Gaussian around the centre, ``[height,width]``: half the side within two sigma."""
    y, x = ((np.arange(count) + 0.5) / count - 0.5 for count in (height, width))
    return np.asarray(np.exp(-(y[:, None] ** 2 + x**2) / (2 * 0.125**2)))


def pixels_of_cells(cells: np.ndarray, size: int) -> np.ndarray:
    """Return, bool ``[N,S,S]``, the squares of cells ``[N,h,w]`` in an image of ``size`` pixels.

    Cell (i,j) covers the rows from i S/h to below (i+1) S/h, and columns likewise.
    """
    height, width = cells.shape[1:]
    pixel = np.arange(size)
    return np.asarray(cells[:, pixel * height // size][:, :, pixel * width // size])


def cells_of_pixels(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return, bool ``[N,h,w]``, the cells whose squares hold any of ``pixels`` ``[N,S,S]``."""
    size = pixels.shape[-1]
    tops, lefts = (-(-np.arange(cells) * size // cells) for cells in (height, width))
    rows = np.logical_or.reduceat(pixels, tops, axis=1)
    return np.asarray(np.logical_or.reduceat(rows, lefts, axis=2))
