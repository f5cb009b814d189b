"""How well scores rank images of one class above the others, and how alike two rankings are."""

from collections.abc import Sequence

import numpy as np
from scipy.stats import rankdata


def auc(positive: np.ndarray, score: np.ndarray) -> float:
    """Return the share of pairs that ``score`` ranks right, ties counting half.

    The area under the ROC curve as the statistic of Mann and Whitney (1947).

    Args:
        positive: bool ``[N]``, some True and some False.
        score: ``[N]``, larger for what should be positive.
    """
    n = int(positive.sum())
    ranks = rankdata(score)[positive].sum()
    return float((ranks - n * (n + 1) / 2) / (n * (len(positive) - n)))


def average_precision(positive: np.ndarray, score: np.ndarray) -> float:
    """Return the mean over positives of the precision at their score, ties taken together.

    Args:
        positive: bool ``[N]``, some True.
        score: ``[N]``, larger for what should be positive.
    """
    order = np.argsort(-score, kind="stable")
    last = np.flatnonzero(np.diff(score[order], append=np.nan) != 0)
    hits = positive[order].cumsum()[last]
    return float((np.diff(hits, prepend=0) * hits / (last + 1)).sum() / positive.sum())


def mean_auc(labels: np.ndarray, p: np.ndarray, classes: Sequence[str]) -> float | None:
    """Return the mean over classes of the AUC of each against the rest; None if there is none.

    Args:
        labels: ``[N]``.
        p: probabilities ``[N,K]``.
        classes: the K labels; those that all or none of the images have do not count.
    """
    found = [
        auc(labels == name, p[:, k])
        for k, name in enumerate(classes)
        if 0 < (labels == name).sum() < len(labels)
    ]
    return float(np.mean(found)) if found else None


def rank_correlations(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return Spearman's correlation ``[N]`` of the rows of ``[N,…]``; 0 where one is constant."""
    ranks = [rankdata(values.reshape(len(values), -1), axis=1) for values in (first, second)]
    one, other = (values - (values.shape[1] + 1) / 2 for values in ranks)
    length = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    across = (one * other).sum(axis=1)
    return np.divide(across, length, out=np.zeros_like(across), where=length > 0)
