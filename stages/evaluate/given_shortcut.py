"""The classifier's figures given a shortcut: where the shortcut fails, and at equal score.

A difference of two accuracies cannot show this: two models can be correct on the same images or on
different ones. Here the classifier is scored where the audit's model does not help.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from twincam.determinism import generator
from twincam.files.metrics import Estimate
from twincam.statistics.estimates import NOTHING, share
from twincam.statistics.intervals import logit_interval

PER_STRATUM, FEWEST_PAIRS, DRAWS = 10, 25, 500


def given_shortcuts(
    table: pd.DataFrame, audit: pd.DataFrame, classes: Sequence[str], seed: int
) -> dict[str, Any]:
    """Return `given_shortcut` for every audit model: ``given_shortcut.<images>.<model>``.

    Args:
        table: predictions of the classifier, of one split.
        audit: ``audit_scores.csv``: ``images, descriptor`` and predictions; empty without an audit.
        classes: the labels.
        seed: of the bootstrap.
    """
    found: dict[str, Any] = {}
    for (images, descriptor), rows in audit.groupby(["images", "descriptor"], sort=True):
        by_images = found.setdefault(str(images), {})
        by_images[str(descriptor)] = given_shortcut(table, rows, classes, seed)
    return {"given_shortcut": found} if found else {}


def given_shortcut(
    table: pd.DataFrame, shortcut: pd.DataFrame, classes: Sequence[str], seed: int
) -> dict[str, Any]:
    """Return the classifier's figures given one audit model.

    Args:
        table: predictions of the classifier: ``id, label, predicted, p_<class>``.
        shortcut: of the audit's model for the same images, in any order.
        classes: the labels.
        seed: of the bootstrap.

    Returns:
        ``n_wrong``, the images that the audit's model gets wrong, ``accuracy_where_wrong`` of the
        classifier on them, ``auc_given``, the mean over classes of `conditional_auc`, and ``pairs``
        that it is based on. A figure is `NOTHING` if no image contradicts the shortcut or too few
        pairs share its score.
    """
    given = shortcut.set_index("id").loc[table["id"]]
    labels = table["label"].to_numpy()
    wrong = given["predicted"].to_numpy() != labels
    right = (table["predicted"].to_numpy() == labels)[wrong]
    truth = np.array([labels == label for label in classes])
    score, shortcuts = (
        np.array([part[f"p_{label}"].to_numpy() for label in classes]) for part in (table, given)
    )
    chosen = slice(1, 2) if len(classes) == 2 else slice(None)
    triples = list(zip(truth[chosen], score[chosen], shortcuts[chosen], strict=True))
    value, pairs = mean_conditional(triples)
    return {
        "n_wrong": int(wrong.sum()),
        "accuracy_where_wrong": share(right),
        "auc_given": Estimate(value, *interval(triples, seed), len(table))
        if pairs >= FEWEST_PAIRS
        else NOTHING,
        "pairs": pairs,
    }


def strata_of(shortcut: np.ndarray) -> np.ndarray:
    """Return the stratum of each score ``[N]``: ten neighbours each, ties together."""
    return ((rankdata(shortcut) - 1) // PER_STRATUM).astype(int)


def conditional_auc(
    positive: np.ndarray, score: np.ndarray, strata: np.ndarray
) -> tuple[float, int]:
    """Return the AUC of ``score`` among images of one stratum, and the number of pairs.

    The AUC adjusted for a covariate (Janes and Pepe, Biometrika 2009), by strata of it, each
    weighted by its pairs. Strata must be narrow: within a wide one the covariate still matters.

    Args:
        positive: bool ``[N]``.
        score: ``[N]``.
        strata: ``[N]``, from 0.
    """
    n = np.bincount(strata)
    before = np.cumsum(n) - n
    ranks = rankdata(strata * (len(score) + 1) + rankdata(score)) - before[strata]
    ours = np.bincount(strata, positive)
    won = np.bincount(strata, ranks * positive) - ours * (ours + 1) / 2
    pairs = int((ours * (n - ours)).sum())
    return (float(won.sum() / pairs) if pairs else float("nan")), pairs


def mean_conditional(
    triples: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]],
) -> tuple[float, int]:
    """Return the mean of `conditional_auc` over classes that have pairs, and all their pairs."""
    found = [conditional_auc(truth, score, strata_of(given)) for truth, score, given in triples]
    values = [value for value, pairs in found if pairs]
    return (float(np.mean(values)) if values else float("nan")), sum(n for _, n in found)


def interval(
    triples: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]], seed: int
) -> tuple[float, float]:
    """Return the 95 % `logit_interval` of `mean_conditional`, from a bootstrap over images.

    Its trials are the pairs within strata that share no image.
    """
    rng = generator(seed, "bootstrap", "beyond")
    n = len(triples[0][0])
    values = [
        mean_conditional([(a[pick], b[pick], c[pick]) for a, b, c in triples])[0]
        for pick in rng.integers(0, n, size=(DRAWS, n))
    ]
    resampled = np.array(values)
    trials = [disjoint_pairs(truth, strata_of(shortcut)) for truth, _, shortcut in triples]
    fewest = min(n for n in trials if n)
    return logit_interval(mean_conditional(triples)[0], resampled[np.isfinite(resampled)], fewest)


def disjoint_pairs(positive: np.ndarray, strata: np.ndarray) -> int:
    """Return how many pairs of a positive and a negative of one stratum share no image."""
    ours = np.bincount(strata, positive)
    return int(np.minimum(ours, np.bincount(strata) - ours).sum())
