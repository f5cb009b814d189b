"""Conformal thresholds over several sources of photographs: the largest is used."""

import numpy as np


def conformal(scores: np.ndarray, rate: float) -> float:
    """Return the score that at most ``rate`` of new photographs exceed, in expectation.

    The k-th largest of n scores with ``k = floor(rate · (n + 1))`` (Vovk et al., Algorithmic
    Learning in a Random World, 2005); infinite if n is too small.
    """
    k = int(np.floor(rate * (len(scores) + 1)))
    return float(np.sort(scores)[-k]) if k else float("inf")


def fewest_scores(rate: float) -> int:
    """Return how many scores `conformal` needs for a finite threshold; ``rate`` is above 0."""
    return int(np.ceil(1 / rate)) - 1


def worst_source(scores: np.ndarray, sources: np.ndarray, rate: float) -> float:
    """Return the largest of the sources' thresholds; ``scores`` and ``sources`` are ``[N]``."""
    return max(conformal(scores[sources == name], rate) for name in np.unique(sources))
