"""Class offsets: the bias that puts the decision where out-of-fold scores say it belongs.

Images that a network is trained on are classified more surely than others, and more so for one
class than for another: a subtle defect seen in training is known, a new one looks like no defect.
The threshold learned in training then favours one class. Bias-corrected temperature scaling
(Alexandari et al., ICML 2020) fits a bias for each class with the temperature, on images that the
scoring network did not train on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from twincam.confidence.calibration import LARGEST_TEMPERATURE, logits_and_truth
from twincam.files.tables import assign_logits, logit_columns

if TYPE_CHECKING:
    import pandas as pd


def fit_offsets(scored: pd.DataFrame, classes: Sequence[str]) -> np.ndarray:
    """Return what to add to the logit of each class, ``[K]``, of mean 0.

    The minimum of the class-balanced cross-entropy of ``scale * logits + bias``, as training
    balances classes, with the targets of Platt (1999): (n + 1) / (n + K) for a class of n images,
    so that classes which are told apart without error leave the decision between them. The offsets
    are the bias over the scale. All are 0 without scores of every class, and where the scores say
    nothing about it (the scale is at its bound).

    Args:
        scored: out-of-fold scores, ``label, logit_<class>…``; repeats are further rows.
        classes: the K labels.
    """
    from scipy.optimize import minimize
    from scipy.special import logsumexp, softmax

    logits, truth = logits_and_truth(scored, classes)
    own = np.eye(len(classes))[truth]
    count = own.sum(axis=0)
    if not count.all():
        return np.zeros(len(classes))
    images = count[truth, None]
    target = (own * images + 1) / (images + len(classes))
    balance = 1 / (len(classes) * count[truth])

    def loss(variables: np.ndarray) -> tuple[float, np.ndarray]:
        scale, bias = np.exp(variables[0]), variables[1:]
        scores = scale * logits + bias
        slope = balance[:, None] * (softmax(scores, axis=1) - target)
        value = balance @ (logsumexp(scores, axis=1) - (scores * target).sum(axis=1))
        return value, np.append((slope * logits).sum() * scale, slope.sum(axis=0))

    bound = np.log(LARGEST_TEMPERATURE)
    bounds = [(-bound, bound), *[(None, None)] * len(classes)]
    start = np.zeros(len(classes) + 1)
    options = {"gtol": 1e-8}
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options).x
    if found[0] < 1e-3 - bound:
        return np.zeros(len(classes))
    bias = found[1:] - found[1:].mean()
    return np.asarray(bias / np.exp(found[0]))


def with_offsets(scored: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """Return the scores of each fold with the offsets that all other images give (`fit_offsets`).

    So what is measured on them afterwards was not used to choose the decision.

    Args:
        scored: out-of-fold scores, ``id, repeat, fold, label, logit_<class>…``.
        classes: the K labels.
    """
    logits = scored[logit_columns(classes)].to_numpy(np.float64, copy=True)
    for rows in scored.groupby(["repeat", "fold"]).indices.values():
        others = scored[~scored["id"].isin(scored["id"].iloc[rows])]
        logits[rows] += fit_offsets(others, classes)
    return assign_logits(scored, logits, classes)
