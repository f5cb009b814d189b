"""The images sampled, and maps that do not depend on them."""

import numpy as np
import pandas as pd
import pytest

from stages.faithfulness.controls import CONTROLS, choose, controls, partners

IDS = np.array([f"{n:03}" for n in range(12)])
MAPS = np.random.default_rng(0).normal(size=(12, 7, 5)).astype(np.float32)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    "predicted",
    [[0, 0], [0, 1], [0, 1, 2], [0, 0, 1], [2, 0, 0, 0, 1, 1], [0, 3, 3, 3, 1, 1, 1, 1, 2, 0]],
)
def test_every_partner_is_another_image_and_is_taken_once(predicted: list[int], seed: int) -> None:
    found = partners(np.array(predicted), seed)
    assert sorted(found) == list(range(len(predicted)))
    assert all(found != np.arange(len(predicted)))


def test_partners_share_the_prediction_where_they_can() -> None:
    predicted = np.array([0, 1, 1, 0, 2, 0, 1, 2])
    found = partners(predicted, 0)
    assert np.array_equal(predicted[found], predicted)
    assert not np.array_equal(partners(np.zeros(20, int), 0), partners(np.zeros(20, int), 1))


def test_classes_alternate_whatever_their_size() -> None:
    split = pd.DataFrame({"label": ["a"] * 40 + ["b"] * 6 + ["c"] * 3}, index=range(100, 149))
    chosen = choose(split, 12, 0)
    assert list(chosen) == sorted(set(chosen))
    drawn = split["label"].iloc[chosen]
    assert drawn.value_counts().to_dict() == {"a": 5, "b": 4, "c": 3}
    assert np.array_equal(choose(split, 12, 0), chosen)
    assert not np.array_equal(choose(split, 12, 1), chosen)
    assert set(chosen) < set(choose(split, 20, 0))
    assert np.array_equal(choose(split, 500, 0), np.arange(49))
    assert len(choose(split, 0, 0)) == 0


def test_each_control_is_what_it_says() -> None:
    partner = partners(np.zeros(12, int), 0)
    found = controls(MAPS, partner, IDS, np.arange(12), 0)
    assert tuple(found) == CONTROLS
    assert all(one.shape == MAPS.shape and one.dtype == np.float32 for one in found.values())
    assert np.array_equal(found["other_image"], MAPS[partner])
    for rolled, own in zip(found["rolled"], MAPS, strict=True):
        shift = np.argwhere(rolled == own[0, 0])[0]
        assert all(shift / own.shape > 0.2) and all(shift / own.shape < 0.8)
        assert np.array_equal(rolled, np.roll(own, shift, axis=(0, 1)))
    assert found["centre"][0].argmax() == 3 * 5 + 2
    assert found["noise"].min() >= 0
    assert len(np.unique(found["noise"])) == MAPS.size


@pytest.mark.parametrize(("height", "width"), [(2, 2), (3, 4), (28, 28)])
def test_a_map_of_any_size_never_rolls_onto_itself(height: int, width: int) -> None:
    maps = np.arange(12 * height * width, dtype=np.float32).reshape(12, height, width)
    rolled = controls(maps, np.roll(np.arange(12), 1), IDS, np.arange(12), 0)["rolled"]
    assert (rolled != maps).all()


def test_controls_depend_on_the_image_and_not_on_the_batch() -> None:
    partner = partners(np.zeros(12, int), 0)
    whole = controls(MAPS, partner, IDS, np.arange(12), 0)
    part = controls(MAPS, partner, IDS, np.array([7, 3]), 0)
    assert all(np.array_equal(part[name], whole[name][[7, 3]]) for name in CONTROLS)
    other = controls(MAPS, partner, IDS, np.arange(12), 1)
    assert not np.array_equal(other["noise"], whole["noise"])
