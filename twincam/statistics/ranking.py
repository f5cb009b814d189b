"""How well scores rank one class above the others, and how similar two rankings are."""

from collections.abc import Sequence

import numpy as np


def auc(positive: np.ndarray, score: np.ndarray) -> float:
    """Return the share of pairs that ``score`` ranks correctly, counting ties as half.

    This is the area under the ROC curve, computed as the statistic of Mann and Whitney (1947).

    Args:
        positive: bool ``[N]``, some True and some False.
        score: ``[N]``, larger if more likely positive.
    """
    from scipy.stats import rankdata

    n = int(positive.sum())
    ranks = rankdata(score)[positive].sum()
    return float((ranks - n * (n + 1) / 2) / (n * (len(positive) - n)))


def average_precision(positive: np.ndarray, score: np.ndarray) -> float:
    """Return the mean precision at the scores of the positives, treating ties as one threshold.

    Args:
        positive: bool ``[N]``, some True.
        score: ``[N]``, larger if more likely positive.
    """
    order = np.argsort(-score, kind="stable")
    last = np.flatnonzero(np.diff(score[order], append=np.nan) != 0)
    hits = positive[order].cumsum()[last]
    return float((np.diff(hits, prepend=0) * hits / (last + 1)).sum() / positive.sum())


def mean_auc(labels: np.ndarray, p: np.ndarray, classes: Sequence[str]) -> float | None:
    """Return the mean one-vs-rest AUC over classes, None if it is undefined for all of them.

    Args:
        labels: ``[N]``.
        p: probabilities ``[N,K]``.
        classes: the K labels; those of all images, or of none, are ignored.
    """
    found = [
        auc(labels == name, p[:, k])
        for k, name in enumerate(classes)
        if 0 < (labels == name).sum() < len(labels)
    ]
    return float(np.mean(found)) if found else None


def rank_correlations(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return Spearman's correlation ``[N]`` of the rows of ``[N,…]``; 0 if a row is constant."""
    from scipy.stats import rankdata

    ranks = [rankdata(values.reshape(len(values), -1), axis=1) for values in (first, second)]
    one, other = (values - (values.shape[1] + 1) / 2 for values in ranks)
    length = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    across = (one * other).sum(axis=1)
    return np.divide(across, length, out=np.zeros_like(across), where=length > 0)
