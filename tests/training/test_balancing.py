"""Classes and sources weigh the same in an epoch, whatever their sizes."""

import numpy as np
import pytest

from twincam.training.balancing import epoch_order, sampling_weights

LABELS = np.repeat([0, 1], [30, 70])
SOURCES = np.repeat(["a", "b", "c", ""], [10, 20, 60, 10])


def test_without_sources_every_image_is_sampled_once() -> None:
    weights = sampling_weights(LABELS, np.full(100, ""))
    assert (weights == 1).all()
    assert sorted(epoch_order(weights, np.random.default_rng(0))) == list(range(100))


def test_each_class_and_each_of_its_sources_weighs_the_same() -> None:
    weights = sampling_weights(LABELS, SOURCES)
    totals = [weights[name == SOURCES].sum() for name in ("a", "b", "c", "")]
    assert np.allclose(totals, 25)


def test_a_source_of_two_classes_is_one_of_each() -> None:
    weights = sampling_weights(np.array([0, 0, 0, 1]), np.array(["s", "s", "t", "s"]))
    assert np.allclose(weights, [0.5, 0.5, 1, 2])


def test_every_image_is_sampled_once_where_sources_are_of_similar_size() -> None:
    labels = np.repeat([0, 1], [30, 44])
    similar, unlike = (
        np.repeat(["a", "b", "c", "d"], [16, 14, *sizes]) for sizes in ((20, 24), (4, 40))
    )
    assert (sampling_weights(labels, similar) == 1).all()
    assert (sampling_weights(labels, unlike) != 1).any()


@pytest.mark.parametrize(("larger", "as_they_are"), [(20, True), (21, False)])
def test_similar_is_up_to_twice_the_size(larger: int, as_they_are: bool) -> None:
    sources = np.repeat(["a", "b"], [10, larger])
    weights = sampling_weights(np.zeros(len(sources), int), sources)
    assert (weights == 1).all() == as_they_are


def test_an_epoch_has_as_many_images_as_there_are_and_samples_by_weight() -> None:
    weights = sampling_weights(LABELS, SOURCES)
    rng = np.random.default_rng(1)
    counts = np.zeros(100)
    for _ in range(200):
        order = epoch_order(weights, rng)
        own = np.bincount(order, minlength=100)
        assert len(order) == 100
        assert (own >= np.floor(weights)).all()
        assert (own <= np.ceil(weights)).all()
        counts += own
    assert np.allclose(counts / 200, weights, atol=0.15)


def test_images_of_a_class_do_not_follow_one_another() -> None:
    order = epoch_order(sampling_weights(LABELS, SOURCES), np.random.default_rng(2))
    assert 30 < (np.diff(LABELS[order]) != 0).sum() < 70


def test_another_epoch_samples_other_images_of_the_large_source() -> None:
    weights = sampling_weights(LABELS, SOURCES)
    one, other = (set(epoch_order(weights, np.random.default_rng(seed))) for seed in (3, 4))
    assert one != other
