"""Features of overlapping classes, and a head that tells them apart."""

from typing import NamedTuple

import numpy as np

from twincam.explanations.influence import Head, refit_head


class Problem(NamedTuple):
    references: np.ndarray
    labels: np.ndarray
    queries: np.ndarray
    weight: np.ndarray
    bias: np.ndarray

    def head(self) -> Head:
        return refit_head(*self)


def problem(images: int, width: int, classes: int, apart: float = 0.5) -> Problem:
    """Return overlapping classes, and the rule that made them as the network's head."""
    rng = np.random.default_rng(images)
    centres = rng.normal(size=(classes, width)) * apart
    labels = rng.permutation(np.arange(images) % classes)
    references = rng.normal(size=(images, width)) + centres[labels] + 1
    queries = rng.normal(size=(12, width)) + centres[np.arange(12) % classes] + 1
    bias = -((centres + 1) ** 2).sum(axis=1) / 2
    return Problem(
        references.astype(np.float32), labels, queries.astype(np.float32), centres + 1, bias
    )
