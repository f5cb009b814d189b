"""Does a space find an image's true partner, the same scene in the other class, among all others?

A space that does so compares content; one no better than a thumbnail captures only where an image
is light and dark.
"""

from typing import Any

import numpy as np
from PIL import Image

from twincam.statistics.estimates import difference, mean, share

THUMBNAIL = 16


def thumbnails(images: np.ndarray) -> np.ndarray:
    """Return images, bytes ``[N,S,S,3]``, as 16-pixel ones minus their mean: unit ``[N,768]``.

    Their dot product is the correlation of the thumbnails' values; a uniform image is all zero.
    """
    size = (THUMBNAIL, THUMBNAIL)
    small = [
        np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX)) for image in images
    ]
    flat = np.reshape(small, (len(images), -1)).astype(np.float32)
    centred = flat - flat.mean(axis=1, keepdims=True)
    return np.asarray(centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-6))


def ranks(similarity: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return the rank ``[Q]``, from 1, of each query's target; ties count against it.

    Args:
        similarity: ``[Q,M]``; -inf where an image is not a candidate, such as the query itself.
        target: index of the target among the M images, ``[Q]``.
    """
    own = np.take_along_axis(similarity, target[:, None], axis=1)
    return np.asarray((similarity >= own).sum(axis=1))


def retrieval(
    similarity: np.ndarray, control: np.ndarray, target: np.ndarray, seed: int
) -> dict[str, Any]:
    """Return how well a similarity finds each query's target, with thumbnails and chance.

    ``hit_at_1``, the share found first (Wilson's interval), and ``mrr``, the mean of one over the
    rank (bootstrap), each also for the control, ``…_thumbnail``, with the paired difference,
    ``…_over_thumbnail``, and for a random order, ``…_chance``; ``retrieval_n`` queries; without
    any, only that.

    Args:
        similarity: ``[Q,M]``; -inf where an image is not a candidate, such as the query itself.
        control: the same of `thumbnails`.
        target: index of the target, a candidate, among the M images, ``[Q]``.
        seed: of the bootstraps.
    """
    n = len(target)
    if not n:
        return {"retrieval_n": 0}
    candidates = (similarity > -np.inf).sum(axis=1)
    harmonic = np.cumsum(1 / np.arange(1, similarity.shape[1] + 1))
    metrics: dict[str, Any] = {
        "retrieval_n": n,
        "hit_at_1_chance": float((1 / candidates).mean()),
        "mrr_chance": float((harmonic[candidates - 1] / candidates).mean()),
    }
    own, other = ranks(similarity, target), ranks(control, target)
    for suffix, rank in (("", own), ("_thumbnail", other)):
        metrics[f"hit_at_1{suffix}"] = share(rank == 1)
        metrics[f"mrr{suffix}"] = mean(1 / rank, seed, "mrr", suffix)
    return metrics | {
        "hit_at_1_over_thumbnail": difference(own == 1, other == 1, seed, "hit at 1"),
        "mrr_over_thumbnail": difference(1 / own, 1 / other, seed, "mrr"),
    }
