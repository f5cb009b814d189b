"""Balance the classes and, within each, the sources of its images.

A classifier that sees one source of photographs far more often than another learns what is peculiar
to it.
"""

import numpy as np
import pandas as pd

SIMILAR = 2.0
"""Weights that differ by this factor at most are all 1: sampling anew would cost more images than
balance brings."""


def sampling_weights(labels: np.ndarray, sources: np.ndarray) -> np.ndarray:
    """Return how often each image is sampled in an epoch, on average, ``[N]``; the sum is N.

    Where a source is named, every class weighs the same, and so does every source of a class;
    images without one are a source of their own. Where none is named, or all are of `SIMILAR` size,
    every weight is 1.

    Args:
        labels: class indices ``[N]``.
        sources: names ``[N]``, ``""`` where none is given.
    """
    if not (sources != "").any():
        return np.ones(len(labels))
    table = pd.DataFrame({"label": labels, "source": sources})
    images = table.groupby(["label", "source"])["source"].transform("size").to_numpy()
    of_class = table.groupby("label")["source"].transform("nunique").to_numpy()
    weights = len(table) / (table["label"].nunique() * of_class * images)
    return weights if weights.max() > SIMILAR * weights.min() else np.ones(len(table))


def epoch_order(weights: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the images of an epoch in random order: as many as there are, ``[N]``.

    An image of weight w occurs w times on average, rounded down or up (systematic sampling).

    Args:
        weights: as of `sampling_weights`.
        rng: which images are rounded up, and the order.
    """
    order = rng.permutation(len(weights))
    if (weights == 1).all():
        return order
    order = order[np.argsort(weights[order], kind="stable")]
    marks = np.arange(len(order)) + rng.random()
    sampled = np.searchsorted(np.cumsum(weights[order]), marks, side="right")
    return rng.permutation(order[np.minimum(sampled, len(order) - 1)])
