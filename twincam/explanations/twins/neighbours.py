"""The nearest neighbours, and their majority vote."""

import numpy as np


def nearest(
    similarity: np.ndarray, k: int, allowed: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return indices and similarities ``[Q,k]`` of the k nearest, the nearest first.

    Args:
        similarity: ``[Q,T]``.
        k: at most T; ties go to the earlier image.
        allowed: bool ``[Q,T]``; if fewer than k are allowed, the rest has index -1 and similarity
            NaN.
    """
    k = min(k, similarity.shape[1])
    ranked = similarity if allowed is None else np.where(allowed, similarity, -np.inf)
    indices = _first(-ranked, k)
    values = np.take_along_axis(ranked, indices, axis=1)
    return np.where(np.isneginf(values), -1, indices), np.where(np.isneginf(values), np.nan, values)


def _first(distances: np.ndarray, k: int) -> np.ndarray:
    """Return the indices ``[Q,k]`` that begin a stable sort of each row, without sorting it."""
    last = np.partition(distances, k - 1, axis=1)[:, k - 1 : k]
    found = np.empty((len(distances), k), np.int64)
    for row, candidates in enumerate(distances <= last):
        near = np.flatnonzero(candidates)
        found[row] = near[np.argsort(distances[row, near], kind="stable")[:k]]
    return found


def vote(labels: np.ndarray) -> np.ndarray:
    """Return the most frequent label ``[Q]`` among neighbours' ``[Q,k]``; ties go to the nearest's.

    Args:
        labels: class indices, the nearest first.
    """
    counts = (labels[:, :, None] == labels[:, None, :]).sum(axis=2)
    return np.asarray(np.take_along_axis(labels, counts.argmax(axis=1)[:, None], axis=1)[:, 0])
