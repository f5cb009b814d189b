"""Images as a network of three classes might see them, drawn by seed."""

import numpy as np

from twincam.models.embedded import Embedded

RNG = np.random.default_rng(0)
WEIGHT = RNG.normal(size=(3, 8))


def embedded(count: int) -> Embedded:
    """Return ``count`` images with maps of 8 channels and 2 by 3 cells."""
    return seen(RNG.normal(size=(count, 8, 2, 3)))


def embedded_in_levels(count: int) -> Embedded:
    """Return ``count`` images with maps of 3 channels and 4 by 6 cells, and of 5 and 2 by 3."""
    return seen(RNG.normal(size=(count, 3, 4, 6)), RNG.normal(size=(count, 5, 2, 3)))


def seen(*maps: np.ndarray) -> Embedded:
    """Return the images with these maps of each level, from the finest."""
    features = np.hstack([level.mean(axis=(2, 3)) for level in maps])
    finer = features.shape[1] - maps[-1].shape[1]
    return Embedded(maps, features, features @ WEIGHT.T, finer)
