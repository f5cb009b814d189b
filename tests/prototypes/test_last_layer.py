"""The refit of the last layer: convex, never negative, sparse as far as asked."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from stages.prototypes.last_layer import refit


def data(n: int = 300) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, n)
    best = rng.normal(0.3, 0.1, (n, 4))
    best[:, 0] += 0.1 * (labels == 0)
    best[:, 2] += 0.15 * (labels == 1)
    return best, np.array([0, 0, 1, 1]), labels


def test_refit_without_penalty_is_logistic_regression_where_signs_allow() -> None:
    best, owner, labels = data()
    weights, bias = refit(best[:, [0, 2]], owner[[0, 2]], labels, 2, 0.0, 0.0)
    balance = np.where(labels == 0, 1 / (labels == 0).sum(), 1 / (labels == 1).sum())
    reference = LogisticRegression(C=1e9, tol=1e-10, max_iter=10_000)
    reference.fit(best[:, [0, 2]], labels, sample_weight=balance * len(labels))
    assert [-weights[0], weights[1]] == pytest.approx(reference.coef_[0], rel=1e-2)
    assert bias[1] - bias[0] == pytest.approx(reference.intercept_[0], rel=1e-2)


def test_refit_weights_are_never_negative_and_the_penalty_empties_them() -> None:
    best, owner, labels = data()
    live = []
    for l1 in (0.0, 0.01, 0.1, 10.0):
        weights, _ = refit(best, owner, labels, 2, l1, 0.0)
        assert (weights >= 0).all()
        live.append(int((weights > 0).sum()))
    assert live == sorted(live, reverse=True)
    assert live[-1] == 0
    assert refit(best, owner, labels, 2, 0.02, 0.0)[0][[0, 2]].min() > 0


def test_the_ridge_evens_out_the_weights_of_prototypes_that_are_alike() -> None:
    best, owner, labels = data()
    twice = best[:, [0, 0, 2, 2]] + np.random.default_rng(1).normal(0, 1e-3, (len(best), 4))
    weights, _ = refit(twice, owner, labels, 2, 0.0, 1.0)
    assert weights.min() > 0.9 * weights.max()
