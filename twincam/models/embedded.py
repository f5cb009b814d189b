"""What the network makes of images, as arrays that need no network to be compared."""

from typing import NamedTuple

import numpy as np


class Embedded(NamedTuple):
    """Last feature maps ``[N,C,h,w]``, their means ``[N,C]``, and logits ``[N,K]``; float32.

    ``maps`` are empty, N being 0, where they were not kept.
    """

    maps: np.ndarray
    features: np.ndarray
    logits: np.ndarray


def at(embedded: Embedded, rows: np.ndarray) -> Embedded:
    """Return the images at ``rows`` of ``embedded``; without maps where it has none."""
    maps = embedded.maps[rows] if len(embedded.maps) else embedded.maps
    return Embedded(maps, embedded.features[rows], embedded.logits[rows])
