"""Feature maps, features and logits of images, as arrays: comparing them needs no network."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

Maps = tuple[np.ndarray, ...]
"""The feature maps that the head reads, ``[N,C,h,w]`` of each level, from the finest."""


class Embedded(NamedTuple):
    """Feature maps of each level, their means ``[N,C]`` and logits ``[N,K]``; float32.

    The channels of the levels stand one after the other in the features. Where the maps are not
    kept, ``maps`` is empty.
    """

    maps: Maps
    features: np.ndarray
    logits: np.ndarray


def at(embedded: Embedded, rows: np.ndarray | slice) -> Embedded:
    """Return the images at ``rows`` of ``embedded``; without maps where it has none."""
    maps = maps_at(embedded.maps, rows)
    return Embedded(maps, embedded.features[rows], embedded.logits[rows])


def maps_at(maps: Maps, rows: np.ndarray | slice) -> Maps:
    """Return the maps of the images at ``rows``."""
    return tuple(level[rows] for level in maps)


def joined(parts: Sequence[Embedded]) -> Embedded:
    """Return the images of ``parts``, at least one, one after the other."""
    maps, features, logits = zip(*parts, strict=True)
    levels = zip(*maps, strict=True)
    return Embedded(
        tuple(np.concatenate(level) for level in levels),
        np.concatenate(features),
        np.concatenate(logits),
    )
