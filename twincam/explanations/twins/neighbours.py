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
    indices = np.argsort(-ranked, axis=1, kind="stable")[:, :k]
    values = np.take_along_axis(ranked, indices, axis=1)
    return np.where(np.isneginf(values), -1, indices), np.where(np.isneginf(values), np.nan, values)


def vote(labels: np.ndarray) -> np.ndarray:
    """Return the most frequent label ``[Q]`` among neighbours' ``[Q,k]``; ties go to the nearest's.

    Args:
        labels: class indices, the nearest first.
    """
    counts = (labels[:, :, None] == labels[:, None, :]).sum(axis=2)
    return np.asarray(np.take_along_axis(labels, counts.argmax(axis=1)[:, None], axis=1)[:, 0])
