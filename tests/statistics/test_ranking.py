"""Ranking metrics are those of scikit-learn."""

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import average_precision_score, roc_auc_score

from twincam.statistics.ranking import auc, average_precision, mean_auc, rank_correlations


def test_auc_is_that_of_scikit_learn_with_ties() -> None:
    rng = np.random.default_rng(0)
    positive = rng.random(200) < 0.3
    score = np.round(rng.normal(size=200) + positive, 1)
    assert auc(positive, score) == pytest.approx(roc_auc_score(positive, score))


@pytest.mark.parametrize("decimals", [0, 1, 8])
def test_average_precision_is_that_of_scikit_learn_with_ties(decimals: int) -> None:
    rng = np.random.default_rng(0)
    positive = rng.random(200) < 0.3
    score = np.round(rng.normal(size=200) + positive, decimals)
    expected = average_precision_score(positive, score)
    assert average_precision(positive, score) == pytest.approx(expected)
    assert average_precision(positive, np.zeros(200)) == pytest.approx(positive.mean())


def test_mean_auc_ignores_classes_that_no_image_or_every_image_has() -> None:
    rng = np.random.default_rng(0)
    labels = rng.choice(["a", "b"], 50)
    p = rng.random((50, 3))
    both = [roc_auc_score(labels == name, p[:, k]) for k, name in enumerate("ab")]
    assert mean_auc(labels, p, ["a", "b", "c"]) == pytest.approx(np.mean(both))
    labels[:] = "a"
    labels[7] = "b"
    both = [roc_auc_score(labels == name, p[:, k]) for k, name in enumerate("ab")]
    assert mean_auc(labels, p, ["a", "b", "c"]) == pytest.approx(np.mean(both))
    assert mean_auc(np.full(50, "a"), p, ["a", "b", "c"]) is None


def test_rank_correlations_are_spearmans_and_a_constant_has_none() -> None:
    first, second = np.random.default_rng(0).integers(0, 5, (2, 4, 2, 6)).astype(float)
    first[3] = 1
    expected = [
        spearmanr(one.ravel(), other.ravel())[0]
        for one, other in zip(first[:3], second[:3], strict=True)
    ]
    assert rank_correlations(first, second) == pytest.approx([*expected, 0])
