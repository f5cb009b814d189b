"""The effect of a corruption, on logits with known results."""

import numpy as np
import pytest
from PIL import Image
from scipy import stats

from stages.robustness.ladders import CONDITIONS, LADDERS
from stages.robustness.measures import (
    COLUMNS,
    FIGURES,
    Flip,
    by_corruption,
    costs,
    curve,
    figures,
    first_flips,
    headlines,
    recalls,
)
from twincam.files.metrics import spelled


def logits(predicted: list[int], classes: int = 2, margin: float = 2.0) -> np.ndarray:
    return margin * np.eye(classes)[predicted]


def test_figures_of_three_correct_in_four() -> None:
    found = spelled(figures(np.array([0, 1, 1, 0]), logits([0, 1, 1, 1]), 0))
    assert found["n"] == 4
    assert found["accuracy"] == 0.75
    assert found["accuracy_low"] < 0.75 < found["accuracy_high"]
    sure = 1 / (1 + np.exp(-2))
    assert found["confidence"] == pytest.approx(sure)
    assert (found["confidence_low"], found["confidence_high"]) == pytest.approx((sure, sure))


def test_flips_count_both_ways_and_the_drop_is_their_difference() -> None:
    labels = np.array([0] * 10)
    clean, after = logits([0] * 7 + [1] * 3), logits([0] * 4 + [1] * 3 + [0, 1, 1])
    found = spelled(costs(labels, clean, after, 0))
    assert found["flip_rate"] == 0.4
    wilson = stats.binomtest(4, 10).proportion_ci(method="wilson")
    assert (found["flip_rate_low"], found["flip_rate_high"]) == pytest.approx(
        (wilson.low, wilson.high)
    )
    assert found["accuracy_drop"] == pytest.approx(0.2)
    assert found["accuracy_drop_low"] < 0.2 < found["accuracy_drop_high"]


def test_a_flip_from_wrong_to_wrong_loses_nothing() -> None:
    found = spelled(costs(np.array([0, 0]), logits([1, 1], 3), logits([2, 2], 3), 0))
    assert found["flip_rate"] == 1
    assert found["accuracy_drop"] == 0
    assert found["accuracy_drop_low"] < -0.5, "two images that agree prove little"


def test_the_interval_of_the_loss_is_paired() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 400)
    before = np.where(rng.random(400) < 0.7, labels, 1 - labels)
    found = spelled(costs(labels, logits(list(before)), logits(list(before)), 0))
    assert -0.01 < found["accuracy_drop_low"] < 0 < found["accuracy_drop_high"] < 0.01
    after = before.copy()
    after[:20] = 1 - after[:20]
    found = spelled(costs(labels, logits(list(before)), logits(list(after)), 0))
    unpaired = 2 * 1.96 * np.sqrt(2 * 0.7 * 0.3 / 400)
    assert found["accuracy_drop_high"] - found["accuracy_drop_low"] < unpaired / 2


def test_recall_of_each_class_and_none_of_an_absent_one() -> None:
    found = spelled(recalls(np.array([0, 0, 1]), logits([0, 2, 1], 3), ["a", "b", "c"]))
    assert (found["n_a"], found["recall_a"]) == (2, 0.5)
    assert (found["n_b"], found["recall_b"]) == (1, 1.0)
    assert found["recall_b_low"] < 0.3
    assert found["n_c"] == 0
    assert "recall_c" not in found


def test_a_row_for_every_condition_and_metrics_without_dots_in_a_key() -> None:
    labels = np.array([0, 1] * 8)
    clean = logits(list(labels))
    corrupted = np.stack([clean] * len(CONDITIONS))
    last = next(n for n, one in enumerate(CONDITIONS) if one[:2] == ("jpeg", 30))
    corrupted[last, :4] = clean[:4, ::-1]
    table = curve(labels, clean, corrupted, ["a", "b"], 0)
    assert set(COLUMNS) <= set(table.columns)
    assert table["condition"].is_unique
    metrics = by_corruption(table)
    assert {name: tuple(map(int, metrics[name])) for name in LADDERS} == {
        name: ladder.severities for name, ladder in LADDERS.items()
    }
    assert all("." not in key for ladder in metrics.values() for key in ladder)
    assert list(metrics["jpeg"]["50"]) == FIGURES
    assert metrics["jpeg"]["50"]["flip_rate"] == 0
    assert metrics["jpeg"]["30"]["flip_rate"] == metrics["jpeg"]["30"]["accuracy_drop"] == 0.25


def test_the_headline_is_the_worst_accuracy_of_test_where_there_is_one() -> None:
    steps = {"jpeg": {"50": {"accuracy": 0.8}, "30": {"accuracy": 0.6}}}
    val = {"clean": {"accuracy": 0.1}, "blur": {"1": {"accuracy": 0.7}}, **steps}
    assert headlines({"val": val}) == {"worst_accuracy": 0.6}
    assert headlines({"val": val, "test": {"clean": {}, "blur": val["blur"]}}) == {
        "worst_accuracy": 0.7
    }
    assert headlines({"skipped": "robustness.images is 0"}) == {}


def condition(corruption: str, step: int) -> int:
    return next(n for n, c in enumerate(CONDITIONS) if (c.corruption, c.step) == (corruption, step))


def test_flips_are_sorted_by_step_then_margin_each_image_once() -> None:
    clean = logits([0, 0, 0, 0])
    corrupted = np.stack([clean] * len(CONDITIONS))

    def turn(image: int, corruption: str, step: int, margin: float) -> None:
        corrupted[condition(corruption, step), image] = [0, margin]

    turn(0, "crop", 1, 9.0)
    turn(0, "noise", 3, 99.0)
    turn(1, "jpeg", 0, 1.0)
    turn(1, "blur", 0, 3.0)
    turn(2, "rescale", 0, 2.0)
    assert first_flips(clean, corrupted) == [
        Flip(1, condition("blur", 0)),
        Flip(2, condition("rescale", 0)),
        Flip(0, condition("crop", 1)),
    ]
    assert first_flips(clean, np.stack([clean] * len(CONDITIONS))) == []


@pytest.mark.parametrize("name", LADDERS)
def test_every_step_is_further_from_the_image_than_the_one_before(name: str) -> None:
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(60, 160, (24, 24, 3), dtype=np.uint8))
    image = coarse.resize((100, 100), Image.Resampling.BICUBIC)
    ladder = [one for one in CONDITIONS if one.corruption == name]
    changed = [one.apply(image, np.random.default_rng(1)) for one in ladder]
    assert all((one.size, one.mode) == (image.size, "RGB") for one in changed)
    if name == "crop":
        corner = [Image.fromarray(np.asarray(image)[k:-k, k:-k]) for k in (5, 10, 15, 20)]
        for one, middle in zip(changed, corner, strict=True):
            whole = np.asarray(middle.resize(image.size, Image.Resampling.BICUBIC), float)
            assert np.abs(np.asarray(one, float) - whole).mean() < 2
        return
    distance = [np.abs(np.asarray(one, float) - np.asarray(image, float)).mean() for one in changed]
    assert distance[0] > 0
    assert distance == sorted(distance)
