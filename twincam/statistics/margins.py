"""The margin of a prediction: the largest logit minus the second largest."""

import numpy as np


def margin_classes(logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return predicted class and runner-up ``[N]`` of logits ``[N,K]``; ties go to the first."""
    order = np.argsort(-logits, axis=1, kind="stable")
    return order[:, 0], order[:, 1]


def margins(logits: np.ndarray) -> np.ndarray:
    """Return the predicted logit minus the runner-up's, ``[N]``, of logits ``[N,K]``."""
    predicted, rival = margin_classes(logits)
    rows = np.arange(len(logits))
    return np.asarray(logits[rows, predicted] - logits[rows, rival])
