"""The rate of false alarms that the protocol aims at, and scores freed from sharpness."""

import numpy as np

RATE = 0.05
"""False alarms aimed at on each source of photographs."""


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
