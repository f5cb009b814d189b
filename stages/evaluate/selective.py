"""The effect of rejecting the least confident images."""

from typing import Any

import numpy as np
import pandas as pd

from twincam.files.metrics import Estimate
from twincam.statistics.intervals import percentile_interval, stratified_resamples, wilson


def selective_risks(confidence: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return the error rate among the k most confident images, for k = 1 … N.

    For images of equal confidence, the mean over all their orders is returned.

    Args:
        confidence: ``[N]``.
        right: bool ``[N]``.
    """
    _, tie = np.unique(-confidence, return_inverse=True)
    wrong = np.bincount(tie, ~right) / np.bincount(tie)
    return wrong[np.sort(tie)].cumsum() / np.arange(1, len(right) + 1)


def risk_coverage(table: pd.DataFrame) -> pd.DataFrame:
    """Return the risk-coverage curve of every split: ``split, coverage, risk``.

    Args:
        table: predictions with ``split, label, predicted, confidence``.
    """
    curves = []
    for split, rows in table.groupby("split", sort=True):
        right = (rows["label"] == rows["predicted"]).to_numpy()
        risk = selective_risks(rows["confidence"].to_numpy(), right)
        coverage = np.arange(1, len(rows) + 1) / len(rows)
        curves.append(pd.DataFrame({"split": split, "coverage": coverage, "risk": risk}))
    return pd.concat(curves, ignore_index=True)


def selective_figures(rows: pd.DataFrame, seed: int) -> dict[str, Any]:
    """Return the block ``risk_coverage`` of one split.

    ``aurc``, the area under the risk-coverage curve (Geifman and El-Yaniv, NeurIPS 2017), smaller
    is better, with a bootstrap interval stratified by class; ``aurc_random``, of rejection at
    random, which is the error rate; and ``aurc_oracle``, of rejecting the errors first.
    Without errors the bootstrap's interval has no width: its upper end is then that of Wilson's
    interval of the error rate, which is the area of rejection at random.

    Args:
        rows: predictions of one split, with ``label, predicted, confidence``.
        seed: of the bootstrap.
    """
    labels = rows["label"].to_numpy()
    confidence, right = rows["confidence"].to_numpy(), labels == rows["predicted"].to_numpy()
    value = float(selective_risks(confidence, right).mean())
    resampled = [
        selective_risks(confidence[pick], right[pick]).mean()
        for pick in stratified_resamples(labels, seed, "risk coverage")
    ]
    low, high = percentile_interval(value, np.array(resampled))
    if right.all():
        high = wilson(0, len(right))[1]
    oracle = selective_risks(right.astype(float), right)
    return {
        "n": len(right),
        "aurc": Estimate(value, low, high, len(right)),
        "aurc_random": float((~right).mean()),
        "aurc_oracle": float(oracle.mean()),
    }
