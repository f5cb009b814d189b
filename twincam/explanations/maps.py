"""Maps of evidence as arrays: their size, and whether they show a place."""

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    pass


def shows_place(maps: np.ndarray) -> bool:
    """Tell whether maps ``[…,h,w]`` have more than one cell: of one alone no place is hotter."""
    return maps.shape[-2:] != (1, 1)


def resize_map(heat: np.ndarray, size: int) -> np.ndarray:
    """Scale a map ``[h,w]`` to ``[size,size]``, bilinear between the cells' centres; float32."""
    image = Image.fromarray(np.ascontiguousarray(heat, dtype=np.float32))
    return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR))


def centred_map(height: int, width: int) -> np.ndarray:
    """Return a Gaussian around the centre, ``[height,width]``: half the side within two sigma."""
    y, x = ((np.arange(count) + 0.5) / count - 0.5 for count in (height, width))
    return np.asarray(np.exp(-(y[:, None] ** 2 + x**2) / (2 * 0.125**2)))
