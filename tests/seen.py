"""Images as a network of three classes might see them, drawn by seed."""

import numpy as np

from twincam.models.embedded import Embedded

RNG = np.random.default_rng(0)
WEIGHT = RNG.normal(size=(3, 8))


def embedded(count: int) -> Embedded:
    """Return ``count`` images with maps of 8 channels and 2 by 3 cells."""
    maps = RNG.normal(size=(count, 8, 2, 3))
    features = maps.mean(axis=(2, 3))
    return Embedded(maps, features, features @ WEIGHT.T)
