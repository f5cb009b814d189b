"""Thresholds that several sources of photographs set together, the worst counting."""

import numpy as np

RATE = 0.05
"""False alarms aimed at on each source of photographs."""


def conformal(scores: np.ndarray, rate: float = RATE) -> float:
    """Return what at most ``rate`` of new photographs like these exceed, in expectation.

    The k-th largest of n scores with ``k = floor(rate · (n + 1))`` (Vovk et al., Algorithmic
    Learning in a Random World, 2005); infinite where n is too small for any.
    """
    k = int(np.floor(rate * (len(scores) + 1)))
    return float(np.sort(scores)[-k]) if k else float("inf")


def worst_source(scores: np.ndarray, sources: np.ndarray) -> float:
    """Return the largest of the sources' thresholds; ``scores`` and ``sources`` are ``[N]``."""
    return max(conformal(scores[sources == name]) for name in np.unique(sources))


def without_sharpness(
    scores: np.ndarray, sharpness: np.ndarray, sources: np.ndarray, known: np.ndarray
) -> np.ndarray:
    """Take from scores what a line through the known photographs predicts from sharpness.

    Args:
        scores: ``[N]``.
        sharpness: ``[N,2]``.
        sources: ``[N]``; those among the known photographs have equal weight.
        known: bool ``[N]``, the photographs that the threshold rests on.
    """
    design = np.column_stack([np.ones(len(scores)), sharpness])
    weight = np.zeros(len(scores))
    for name in np.unique(sources[known]):
        members = known & (sources == name)
        weight[members] = 1 / members.sum()
    root = np.sqrt(weight[known])[:, None]
    line = np.linalg.lstsq(design[known] * root, scores[known] * root[:, 0], rcond=None)[0]
    return scores - design @ line
