"""Temperature scaling: calibrated confidences from out-of-fold scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from twincam.files.tables import logit_columns
from twincam.statistics.probabilities import log_softmax

if TYPE_CHECKING:
    import pandas as pd

FEWEST = 20
"""Fewest images to fit a temperature or to measure calibration."""


LARGEST_TEMPERATURE = 20.0


def truth_of(table: pd.DataFrame, classes: Sequence[str]) -> np.ndarray:
    """Return the index ``[N]`` in ``classes`` of each ``label`` of a table."""
    return table["label"].map(list(classes).index).to_numpy(int)


def logits_and_truth(scored: pd.DataFrame, classes: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return logits ``[N,K]`` and class indices ``[N]`` of rows with ``label, logit_<class>…``."""
    logits = scored[logit_columns(classes)].to_numpy(np.float64)
    return logits, truth_of(scored, classes)


def fit_temperature(scored: pd.DataFrame, classes: Sequence[str]) -> tuple[float | None, str]:
    """Return the temperature to divide logits by, or None and the reason.

    Temperature scaling (Guo et al., ICML 2017): the minimum of the negative log-likelihood of
    images that the scoring model did not train on; repeats are further rows.

    Args:
        scored: out-of-fold scores, ``id, label, logit_<class>…``.
        classes: the K labels.
    """
    if scored["id"].nunique() < FEWEST:
        n = scored["id"].nunique()
        return None, f"{n} training images have out-of-fold scores, {FEWEST} are needed"
    from scipy.optimize import minimize_scalar

    logits, truth = logits_and_truth(scored, classes)
    if (logits.argmax(axis=1) == truth).all():
        return None, "no out-of-fold prediction is wrong: the lower the temperature, the better"

    def loss(log_temperature: float) -> float:
        return float(log_loss(logits / np.exp(log_temperature), truth).mean())

    bound = np.log(LARGEST_TEMPERATURE)
    found = minimize_scalar(loss, bounds=(-bound, bound), method="bounded", options={"xatol": 1e-6})
    if abs(found.x) > bound - 1e-3:
        return None, f"none from {1 / LARGEST_TEMPERATURE:g} to {LARGEST_TEMPERATURE:g} fits best"
    return float(np.exp(found.x)), ""


def confidences(logits: np.ndarray) -> np.ndarray:
    """Return the probability ``[N]`` of the predicted class, from logits ``[N,K]``."""
    return np.exp(log_softmax(logits).max(axis=1))


def log_loss(logits: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return the negative log-likelihood ``[N]`` of class indices ``truth`` ``[N]``."""
    return -np.take_along_axis(log_softmax(logits), truth[:, None], axis=1)[:, 0]
