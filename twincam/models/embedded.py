"""Feature maps, features and logits of images, as arrays: comparing them needs no network."""

from typing import NamedTuple

import numpy as np


class Embedded(NamedTuple):
    """Last feature maps ``[N,C,h,w]``, their means ``[N,C]``, and logits ``[N,K]``; float32.

    Where the maps are not kept, ``maps`` is empty (its N is 0).
    """

    maps: np.ndarray
    features: np.ndarray
    logits: np.ndarray


def at(embedded: Embedded, rows: np.ndarray | slice) -> Embedded:
    """Return the images at ``rows`` of ``embedded``; without maps where it has none."""
    maps = embedded.maps[rows] if len(embedded.maps) else embedded.maps
    return Embedded(maps, embedded.features[rows], embedded.logits[rows])
