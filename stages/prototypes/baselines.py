"""Simpler models on the same patches: untrained prototypes, weights of any sign."""

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

STRENGTH = 1.0
"""Inverse strength of the logistic regression's squared penalty, scikit-learn's default."""


def logistic_logits(
    best_train: np.ndarray, labels: np.ndarray, best_eval: np.ndarray
) -> np.ndarray:
    """Return logits ``[V,K]`` of a logistic regression on maximal similarities.

    Any prototype may support or oppose any class. Similarities are standardised by the training
    images, classes have equal weight. Logits of two classes are plus and minus half the log-odds.

    Args:
        best_train: best similarities of the training images, ``[N,P]``.
        labels: their class indices, ``[N]``; every class 0 to K-1 occurs.
        best_eval: best similarities of the evaluated images, ``[V,P]``.
    """
    regression = LogisticRegression(C=STRENGTH, class_weight="balanced", tol=1e-8, max_iter=10_000)
    with threadpool_limits(1):
        model = make_pipeline(StandardScaler(), regression)
        model.fit(best_train.astype(float), labels)
        odds = model.decision_function(best_eval.astype(float))
    return np.stack([-odds / 2, odds / 2], axis=1) if odds.ndim == 1 else np.asarray(odds)
