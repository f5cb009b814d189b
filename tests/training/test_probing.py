"""A linear probe is scikit-learn's logistic regression, written into the network's own head."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from tests.fitted import IMAGES, LABELS, SETTINGS, network
from twincam.models.architectures import HALF
from twincam.models.forward import logits_of
from twincam.models.network import create, with_head
from twincam.training.fitting import Recipe
from twincam.training.labelled import LabelledImages
from twincam.training.probing import STRENGTHS, UNCHECKED, choose_strength, fit_probe, pooled_views
from twincam.training.refits import Refit, held_out_logits, refit_function

PROBE = SETTINGS.model_copy(update={"method": "linear_probe", "views": 2})
RNG = np.random.default_rng(0)
EQUAL = np.ones(60)


def features(classes: int, views: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Return ``[views,60,512]`` whose first three channels tell the labels ``[60]``."""
    labels = np.arange(60) % classes
    found = RNG.normal(2, 3, (views, 60, 512)).astype(np.float32)
    found[..., :3] += 2 * np.eye(3)[labels]
    found[..., 7] = 5
    return found, labels


def described(labels: np.ndarray, sources: np.ndarray | None = None) -> LabelledImages:
    """Return the labels of images that nothing looks at, each a group of its own."""
    count = len(labels)
    named = np.full(count, "") if sources is None else sources
    return LabelledImages(np.zeros((count, 0)), torch.tensor(labels), np.arange(count), named)


@pytest.mark.parametrize("classes", [2, 3])
def test_the_head_gives_the_probabilities_of_the_regression(classes: int) -> None:
    found, labels = features(classes)
    made = create("resnet18", "abc"[:classes], HALF)
    fit_probe(made, found, np.arange(60), described(labels), np.arange(60))
    scaler = StandardScaler().fit(found[0])
    strength = choose_strength(scaler.transform(found[0])[None], labels, np.arange(60), EQUAL)
    expected = LogisticRegression(C=strength, max_iter=1000).fit(scaler.transform(found[0]), labels)
    fresh, _ = features(classes)
    with torch.no_grad():
        p = made.head(torch.from_numpy(fresh[0])).softmax(dim=1).numpy()
    assert np.allclose(p, expected.predict_proba(scaler.transform(fresh[0])), atol=1e-4)


def test_equal_views_weigh_as_much_as_one() -> None:
    found, labels = features(2)
    once, thrice = (create("resnet18", ("a", "b"), HALF) for _ in range(2))
    fit_probe(once, found, np.arange(60), described(labels), np.arange(60))
    fit_probe(thrice, np.repeat(found, 3, axis=0), np.arange(60), described(labels), np.arange(60))
    assert torch.allclose(once.head.weight, thrice.head.weight, atol=1e-4)


def test_a_small_source_counts_as_much_as_a_large_one() -> None:
    """Six images that look like the other class are fitted better where they are a source."""
    found, labels = features(2)
    few = (labels == 0) & (np.arange(60) < 12)
    found[0, few, :2] = found[0, few, 1::-1]
    sources = np.where(few, "few", np.where(labels == 0, "many", "made"))
    shares = []
    for named in (sources, np.full(60, "")):
        made = create("resnet18", ("a", "b"), HALF)
        fit_probe(made, found, np.arange(60), described(labels, named), np.arange(60))
        with torch.no_grad():
            shares.append(made.head(torch.from_numpy(found[0, few])).softmax(1)[:, 0].mean())
    assert shares[0] > shares[1] + 0.05


def test_images_of_a_group_are_held_out_together() -> None:
    """Pairs of one scene with opposite labels: if one is held out alone, the other misleads."""
    scenes = np.repeat(RNG.normal(0, 3, (30, 200)), 2, axis=0)
    labels = np.tile([0, 1], 30)
    found = scenes + np.outer(2 * labels - 1, np.r_[1.0, np.zeros(199)])
    found = (found - found.mean(axis=0)) / found.std(axis=0)
    pairs = np.repeat(np.arange(30), 2)
    apart = choose_strength(found[None], labels, np.arange(60), EQUAL)
    assert choose_strength(found[None], labels, pairs, EQUAL) > apart


def test_certain_errors_have_a_finite_loss_that_is_compared() -> None:
    """Far from the boundary a probability rounds to 0, whose logarithm would be infinite."""
    found, labels = features(2)
    found[0, 0, :2] = -1e5, 1e5
    with warnings.catch_warnings(action="error"):
        assert choose_strength(found, labels, np.arange(60), EQUAL) == min(STRENGTHS)


def test_a_class_of_one_group_needs_no_choice() -> None:
    found, labels = features(2)
    one_of_a_group = np.where(labels == 0, 0, np.arange(60))
    assert choose_strength(found, labels, one_of_a_group, EQUAL) == UNCHECKED
    assert choose_strength(found, labels, np.zeros(60), EQUAL) == UNCHECKED


def test_a_probe_reads_several_levels() -> None:
    made = with_head(network(), None, 2)
    made.module.eval()
    views = pooled_views(made, IMAGES, np.arange(12), PROBE, 0)
    assert views.shape == (2, 12, 256 + 512)
    fit_probe(made, views, np.arange(12), described(LABELS.numpy()), np.arange(12))
    assert (logits_of(made, IMAGES).argmax(axis=1) == LABELS.numpy()).all()


def test_a_refit_fits_the_head_and_nothing_else(tmp_path: Path) -> None:
    made, part = network(), Refit(np.arange(8), np.arange(8, 12))
    before = {name: tensor.clone() for name, tensor in made.blocks.state_dict().items()}
    data = LabelledImages(IMAGES, LABELS, np.arange(12), np.full(12, ""))
    logits = held_out_logits(IMAGES)
    found = refit_function(made, data, [part], logits, Recipe(PROBE, 0), tmp_path)(0)
    assert all(torch.equal(before[name], now) for name, now in made.blocks.state_dict().items())
    own = network()
    own.module.eval()
    views = pooled_views(own, IMAGES, part.train, PROBE, 0)
    assert views.shape == (2, 8, 512)
    fit_probe(own, views, np.arange(8), data, part.train)
    assert np.allclose(found["logits"], logits_of(own, IMAGES[8:]), atol=1e-5)
