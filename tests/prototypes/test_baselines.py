"""A logistic regression on the same similarities may weigh for and against any class."""

import numpy as np
import pytest
from scipy.special import expit

from stages.prototypes.baselines import logistic_logits


def data(n: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """The second class lacks a pattern of the first; weights of at least 0 cannot use that."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, n)
    best = rng.normal(0.3, 0.1, (n, 3))
    best[:, 0] -= 0.3 * (labels == 0)
    return best, labels


def test_logistic_regression_may_weigh_against_a_class() -> None:
    best, labels = data()
    found = logistic_logits(best[:200], labels[:200], best[200:])
    assert (found.argmax(axis=1) == labels[200:]).mean() > 0.9
    assert found.sum(axis=1) == pytest.approx(np.zeros(200))
    assert np.array_equal(found, logistic_logits(best[:200], labels[:200], best[200:]))


def test_two_logits_are_the_log_odds_whatever_the_scale_of_similarities() -> None:
    best, labels = data()
    found = logistic_logits(best, labels, best)
    scaled = logistic_logits(best * 7 + 3, labels, best * 7 + 3)
    assert scaled == pytest.approx(found, abs=1e-4)
    chance = expit(found[:, 1] - found[:, 0])
    own = [chance[labels == name].mean() for name in (0, 1)]
    assert own[0] + own[1] == pytest.approx(1, abs=0.02)


def test_rare_classes_weigh_alike_and_three_have_three_logits() -> None:
    best, labels = data(600)
    rare = np.flatnonzero((labels == 1) | (np.arange(600) % 8 == 0))
    found = logistic_logits(best[rare], labels[rare], best)
    assert min((found.argmax(axis=1) == labels)[labels == name].mean() for name in (0, 1)) > 0.88
    three = np.arange(600) % 3
    best[np.arange(600), three] += 1
    assert (logistic_logits(best, three, best).argmax(axis=1) == three).mean() > 0.95
