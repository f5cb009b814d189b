"""Images as a network of three classes might see them, drawn by seed."""

import numpy as np

from twincam.models.embedded import Embedded

RNG = np.random.default_rng(0)
WEIGHT = RNG.normal(size=(3, 8))


def embedded(count: int) -> Embedded:
    """Return ``count`` images with maps of 8 channels and 2 by 3 cells."""
    return _seen(RNG.normal(size=(count, 8, 2, 3)))


def embedded_in_levels(count: int) -> Embedded:
    """Return ``count`` images with maps of 3 channels and 4 by 6 cells, and of 5 and 2 by 3."""
    return _seen(RNG.normal(size=(count, 3, 4, 6)), RNG.normal(size=(count, 5, 2, 3)))


def _seen(*maps: np.ndarray) -> Embedded:
    features = np.hstack([level.mean(axis=(2, 3)) for level in maps])
    return Embedded(maps, features, features @ WEIGHT.T)
