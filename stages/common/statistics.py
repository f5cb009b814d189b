"""Intervals and paired tests for figures on small samples."""

import numpy as np
from scipy import stats

from stages.common.determinism import generator


def wilson(hits: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the score interval of a share (Wilson, JASA 1927): bounds within 0 to 1.

    Args:
        hits: 0 to ``n``.
        n: at least 1.
        confidence: coverage aimed at.
    """
    z = stats.norm.ppf(0.5 + confidence / 2)
    share = hits / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return float(max(0.0, centre - half)), float(min(1.0, centre + half))


def share_with_interval(name: str, hits: np.ndarray) -> dict[str, float]:
    """Return the share of ``hits`` ``[N]`` (bool) and its 95 % Wilson interval.

    Under the keys ``name``, ``name_low`` and ``name_high``.
    """
    low, high = wilson(int(hits.sum()), len(hits))
    return {name: float(hits.mean()), f"{name}_low": low, f"{name}_high": high}


def mcnemar(first: np.ndarray, second: np.ndarray) -> float:
    """Return the exact two-sided p that two models are equally often right on the same images.

    McNemar (Psychometrika 1947) in its exact form: a sign test on the images that one model gets
    right and the other wrong.

    Args:
        first: bool ``[N]``, whether the first model is right.
        second: bool ``[N]``, the same images.
    """
    only_first = int((first & ~second).sum())
    only_second = int((~first & second).sum())
    if only_first + only_second == 0:
        return 1.0
    return float(stats.binomtest(only_first, only_first + only_second).pvalue)


def bootstrap_mean(
    values: np.ndarray, seed: int, *names: object, draws: int = 2000
) -> tuple[float, float]:
    """Return the 95 % percentile bootstrap interval of the mean of ``values`` ``[N]``."""
    rng = generator(seed, "bootstrap", *names)
    picks = rng.integers(0, len(values), size=(draws, len(values)))
    low, high = np.percentile(values[picks].mean(axis=1), [2.5, 97.5])
    return float(low), float(high)
