"""Does a space find an image's true partner, the same scene in the other class, among all others?

A space that does so compares content; one no better than a thumbnail captures only where an image
is light and dark.
"""

from typing import Any

import numpy as np
from PIL import Image

from twincam.explanations.twins.neighbours import Compare, blocks
from twincam.files.shards import Rows
from twincam.statistics.estimates import difference, mean, share

THUMBNAIL = 16


def thumbnails(images: Rows) -> np.ndarray:
    """Return images, bytes ``[N,S,S,3]``, as 16-pixel ones minus their mean: unit ``[N,768]``.

    Their dot product is the correlation of the thumbnails' values; a uniform image is all zero.
    """
    size = (THUMBNAIL, THUMBNAIL)
    small = [
        np.asarray(Image.fromarray(images[row]).resize(size, Image.Resampling.BOX))
        for row in range(len(images))
    ]
    flat = np.reshape(small, (len(images), -1)).astype(np.float32)
    centred = flat - flat.mean(axis=1, keepdims=True)
    return np.asarray(centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-6))


def ranks(similarity: Compare, target: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the rank of each query's target, from 1, ties against it, and how many candidates.

    Args:
        similarity: -inf where an image is not a candidate, such as the query itself.
        target: index of the target, a candidate, among the images, ``[Q]``.
        count: of images.
    """
    own, rank, candidates = np.zeros(len(target)), *np.zeros((2, len(target)), int)
    everyone = np.arange(count)
    for rows, columns in blocks(len(target), everyone):
        here = rows[(columns[0] <= target[rows]) & (target[rows] <= columns[-1])]
        if len(here):
            found = similarity(rows, columns)
            own[here] = found[here - rows[0], target[here] - columns[0]]
    for rows, columns in blocks(len(target), everyone):
        found = similarity(rows, columns)
        rank[rows] += (found >= own[rows, None]).sum(axis=1)
        candidates[rows] += (found > -np.inf).sum(axis=1)
    return rank, candidates


def retrieval(
    similarity: Compare, control: Compare, target: np.ndarray, count: int, seed: int
) -> dict[str, Any]:
    """Return how well a similarity finds each query's target, with thumbnails and chance.

    ``hit_at_1``, the share found first (Wilson's interval), and ``mrr``, the mean of one over the
    rank (bootstrap), each also for the control, ``…_thumbnail``, with the paired difference,
    ``…_over_thumbnail``, and for a random order, ``…_chance``; ``retrieval_n`` queries; without
    any, only that.

    Args:
        similarity: -inf where an image is not a candidate, such as the query itself.
        control: the same of `thumbnails`.
        target: index of the target, a candidate, among the images, ``[Q]``.
        count: of images.
        seed: of the bootstraps.
    """
    n = len(target)
    if not n:
        return {"retrieval_n": 0}
    own, candidates = ranks(similarity, target, count)
    other, _ = ranks(control, target, count)
    harmonic = np.cumsum(1 / np.arange(1, count + 1))
    metrics: dict[str, Any] = {
        "retrieval_n": n,
        "hit_at_1_chance": float((1 / candidates).mean()),
        "mrr_chance": float((harmonic[candidates - 1] / candidates).mean()),
    }
    for suffix, rank in (("", own), ("_thumbnail", other)):
        metrics[f"hit_at_1{suffix}"] = share(rank == 1)
        metrics[f"mrr{suffix}"] = mean(1 / rank, seed, "mrr", suffix)
    return metrics | {
        "hit_at_1_over_thumbnail": difference(own == 1, other == 1, seed, "hit at 1"),
        "mrr_over_thumbnail": difference(1 / own, 1 / other, seed, "mrr"),
    }
