"""Baselines on the same patches: they learn what they may, and leave the classifier alone."""

import numpy as np
import pytest
import torch
from scipy.special import expit

from stages.protopnet.baselines import k_means_logits, logistic_logits
from tests.protopnet.tiny import LABELS, SETTINGS, network, pictures
from twincam.models.network import Network

FEW = SETTINGS.model_copy(
    update={
        "prototypes_per_class": 2,
        "after_block": 1,
        "warmup_epochs": 1,
        "tied_epochs": 1,
    }
)


def k_means(made: Network, watched: np.ndarray) -> np.ndarray:
    rows = np.arange(12)
    return k_means_logits(made, pictures()[0], rows, LABELS[rows], watched, FEW, 0)


def test_k_means_tells_patches_apart_without_touching_the_classifier() -> None:
    made = network()
    before = {name: tensor.clone() for name, tensor in made.module.state_dict().items()}
    found = k_means(made, np.arange(16))
    assert found.shape == (16, 2)
    assert (found.argmax(axis=1) == LABELS).mean() >= 0.9
    after = made.module.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert np.array_equal(found, k_means(network(), np.arange(16)))
    assert k_means(made, np.array([15, 12])) == pytest.approx(found[[15, 12]], abs=1e-4)


def data(n: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Only the second class's absence of a pattern tells it: points of at least 0 cannot say so."""
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
