"""Baselines on the same patches: they learn what they may, and leave the classifier alone."""

import numpy as np
import pytest
import torch
from scipy.special import expit

from stages.common.backbones import HALF, Network, create
from stages.common.determinism import make_torch_deterministic
from stages.protopnet.baselines import k_means_logits, logistic_logits
from stages.protopnet.params import ProtoPNet

LABELS = np.array([0, 1] * 8)
SETTINGS = ProtoPNet(
    prototypes_per_class=2,
    after_block=1,
    channels=16,
    views=1,
    variations=[],
    activations_max_gb=1.0,
    warmup_epochs=1,
    joint_epochs=1,
    tied_epochs=1,
    batch_size=8,
    learning_rate=3e-3,
    joint_learning_rate=1e-4,
    cluster=0.8,
    anchor=1.0,
    separation=0.08,
    diversity=1.0,
    max_cosine=0.6,
    l1=0.0,
    ridge=0.1,
    guards="fail",
)


def network() -> Network:
    make_torch_deterministic(0, "test")
    made = create("resnet18", ("a", "b"), HALF)
    made.module.eval()
    return made


def images() -> np.ndarray:
    """Return noise with a chequered square in class 0 and a striped one in class 1, anywhere."""
    rng = np.random.default_rng(0)
    pictures = rng.integers(90, 160, (16, 64, 64, 3), dtype=np.uint8)
    yy, xx = np.mgrid[:24, :24]
    patches = [((yy // 4 + xx // 4) % 2 * 255), (yy // 4 % 2 * 255)]
    for picture, label in zip(pictures, LABELS, strict=True):
        y, x = rng.integers(0, 40, 2)
        picture[y : y + 24, x : x + 24] = patches[label][..., None]
    return pictures


def k_means(made: Network, watched: np.ndarray) -> np.ndarray:
    rows = np.arange(12)
    return k_means_logits(made, images(), rows, LABELS[rows], watched, SETTINGS, 0)


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
