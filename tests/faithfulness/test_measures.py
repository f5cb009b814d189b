"""Curves, ROAD and average drop: on classifiers whose reasons are known, and against libraries."""

from contextlib import nullcontext
from functools import partial
from typing import Any, cast

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor, nn

from stages.faithfulness.controls import Sample
from stages.faithfulness.measures import (
    BASELINES,
    FRACTIONS,
    Classify,
    Measured,
    Subject,
    join_batches,
    measure,
    measure_batch,
    subject_of,
)
from stages.faithfulness.orders import count_of, kept_shares, pixel_ranks
from stages.faithfulness.summary import CONTROLS, metrics_of, scores_of
from twincam.explanations.maps import resize_map
from twincam.files.metrics import spelled
from twincam.models.forward import batches
from twincam.statistics.margins import margin_classes, margins

SIZE, CELLS, COUNT = 24, 6, 12
IDS = np.array([f"{n:03}" for n in range(COUNT)])


def bright_patches() -> Tensor:
    """Return dark images with a bright patch of 2 by 2 cells at places that differ."""
    rng = np.random.default_rng(0)
    images = rng.normal(-0.6, 0.15, (COUNT, 3, SIZE, SIZE)).astype(np.float32)
    for image in images:
        y, x = 4 * rng.integers(0, CELLS - 1, 2)
        image[:, y : y + 8, x : x + 8] += 1.4
    return torch.from_numpy(images)


def sees_brightness(inputs: Tensor) -> Tensor:
    """Return two logits: what is above grey in the image and, for the other, a constant."""
    evidence = 40 * inputs.clamp(min=0).mean(dim=(1, 2, 3))
    return torch.stack([evidence, torch.full_like(evidence, 0.5)], dim=1)


def truth(images: Tensor) -> np.ndarray:
    bright = images.clamp(min=0).mean(dim=1, keepdim=True)
    return nn.functional.avg_pool2d(bright, SIZE // CELLS)[:, 0].numpy()


def measured(
    heat: np.ndarray, images: Tensor, classify: Classify = sees_brightness, size: int = COUNT
) -> dict[str, Any]:
    logits = classify(images).numpy()
    partner = np.roll(np.arange(len(images)), 1)
    sample = Sample(logits, IDS[: len(images)], partner)
    found = join_batches(
        measure_batch(classify, images[part], sample, {"own": heat}, part, 0)
        for part in batches(len(images), size)
    )
    return spelled(metrics_of(scores_of(found["own"], logits), np.zeros(len(images)), 0))


@pytest.fixture(scope="module")
def patches() -> Tensor:
    return bright_patches()


@pytest.fixture(scope="module")
def true_figures(patches: Tensor) -> dict[str, Any]:
    return measured(truth(patches), patches)


@pytest.fixture(scope="module")
def subject(patches: Tensor) -> Subject:
    return subject_of(sees_brightness, patches, sees_brightness(patches).numpy(), IDS, 0)


def test_the_true_map_beats_every_control_by_every_measure(true_figures: dict[str, Any]) -> None:
    found = true_figures
    for name in ("deletion", "insertion", "road", "average_drop"):
        for control in CONTROLS:
            assert found[f"{name}_over_{control}_low"] > 0, (name, control)
    assert found["deletion"] < 0.4
    assert found["insertion"] > 0.7


def test_a_map_upside_down_loses_to_every_control(patches: Tensor) -> None:
    found = measured(-truth(patches), patches)
    for name in ("deletion", "insertion", "road"):
        assert found[f"{name}_over_noise_high"] < 0
    assert found["road"] < 0


def test_a_map_that_says_nothing_does_as_well_as_noise(patches: Tensor) -> None:
    found = measured(np.full((COUNT, CELLS, CELLS), 0.3, np.float32), patches)
    for name in ("deletion", "insertion", "road"):
        assert [found[f"{name}_over_noise{end}"] for end in ("", "_low", "_high")] == [0, 0, 0]
        assert all(found[f"{name}_over_{control}_low"] <= 0 for control in CONTROLS)
    assert found["average_drop"] > 0.5
    assert found["increase"] == 0


def test_batches_of_any_size_give_the_same_figures(
    patches: Tensor, true_figures: dict[str, Any]
) -> None:
    found = measured(truth(patches), patches, size=7)
    assert flat(found) == pytest.approx(flat(true_figures), abs=1e-5)


def test_methods_share_the_controls_that_look_at_no_map_and_change_no_figure(
    patches: Tensor,
) -> None:
    few = patches[:4]
    logits, partner = sees_brightness(few).numpy(), np.roll(np.arange(4), 1)
    true = truth(few)
    coarse = nn.functional.avg_pool2d(torch.from_numpy(true), 2).numpy()
    heat = {"true": true, "upside_down": -true, "coarse": coarse}

    def measure_some(*methods: str) -> tuple[dict[str, Measured], int]:
        classify, some = Recorder(), {method: heat[method] for method in methods}
        sample = Sample(logits, IDS[:4], partner)
        found = measure_batch(classify, few, sample, some, np.arange(4), 0)
        return found, len(classify.shown)

    together, calls = measure_some(*heat)
    assert calls == 2 + 3 * 117 + 2 * 78
    for method in heat:
        alone, _ = measure_some(method)
        for field, own in zip(together[method], alone[method], strict=True):
            assert np.array_equal(field, own)


def flat(found: dict[str, Any]) -> dict[str, float]:
    return {key: value for key, value in found.items() if not isinstance(value, dict)}


def test_curves_start_at_the_image_and_end_at_the_baseline(
    subject: Subject, patches: Tensor
) -> None:
    (curves,) = measure(sees_brightness, subject, [truth(patches)], truth(patches)).curves
    logits = sees_brightness(patches).numpy()
    flat_colour = patches.mean(dim=(2, 3), keepdim=True).expand_as(patches)
    sigma = 10 * SIZE / 224
    blurred = [
        [gaussian_filter(channel, sigma, mode="nearest") for channel in image]
        for image in patches.numpy()
    ]
    for number, empty in enumerate((torch.from_numpy(np.array(blurred)), flat_colour)):
        left = sees_brightness(empty).numpy()
        predicted, rival = margin_classes(logits)
        rows = np.arange(COUNT)
        expected = left[rows, predicted] - left[rows, rival]
        deletion, insertion = curves[number]
        assert deletion[-1] == pytest.approx(expected, abs=1e-4)
        assert insertion[0] == pytest.approx(expected, abs=1e-4)
        assert np.array_equal(deletion[0], margins(logits))
        assert np.array_equal(insertion[-1], margins(logits))


def test_both_classes_of_the_margin_stay_those_of_the_image_as_it_is() -> None:
    images = torch.rand(2, 3, 16, 16) + 0.1

    def turning(inputs: Tensor) -> Tensor:
        level = inputs.mean(dim=(1, 2, 3))
        return torch.stack([level, 0.05 * torch.ones_like(level), 0.9 - level * 9], dim=1)

    logits = np.array([[3.0, 2.0, 1.0], [1.0, 2.0, 3.0]], np.float32)
    subject = subject_of(turning, images, logits, IDS[:2], 0)
    left = turning(subject.baselines["mean"])
    assert subject.emptied["mean"] == pytest.approx(
        np.array([left[0, 0] - left[0, 1], left[1, 2] - left[1, 1]]), abs=1e-6
    )


class Recorder:
    """A classify that keeps what it is shown."""

    def __init__(self) -> None:
        self.shown: list[Tensor] = []

    def __call__(self, inputs: Tensor) -> Tensor:
        self.shown.append(inputs)
        return sees_brightness(inputs)


def test_the_right_pixels_go_and_the_passes_are_those_promised(patches: Tensor) -> None:
    classify, logits = Recorder(), sees_brightness(patches).numpy()
    subject = subject_of(classify, patches, logits, IDS, 0)
    assert len(classify.shown) == len(BASELINES)
    classify.shown.clear()
    heat = truth(patches)
    measure(classify, subject, [heat], heat)
    curves = len(BASELINES) * 2 * (len(FRACTIONS) - 2)
    assert len(classify.shown) == curves + 2 * 5 + 1 == 39
    ranks = pixel_ranks(heat, heat, SIZE)
    deleted, inserted = classify.shown[:curves:2], classify.shown[1:curves:2]
    steps = [*FRACTIONS[1:-1]] * len(BASELINES)
    for fraction, gone, come in zip(steps, deleted, inserted, strict=True):
        first = (ranks < count_of(fraction, SIZE)).expand_as(patches)
        assert first.float().mean() == pytest.approx(fraction)
        assert torch.equal(gone[~first], patches[~first])
        assert torch.equal(come[first], patches[first])
        assert not torch.isclose(gone[first], patches[first]).float().mean() > 0.01
        assert not torch.isclose(come[~first], patches[~first]).float().mean() > 0.01


def test_ranks_follow_the_map_and_ties_decide_only_between_equals() -> None:
    rng = np.random.default_rng(0)
    heat, ties = rng.normal(size=(2, 2, 6, 6)).astype(np.float32)
    heat[1] = 0
    ranks = pixel_ranks(heat, ties, 12).numpy().reshape(2, -1)
    assert all(sorted(own) == list(range(144)) for own in ranks)
    for own, by in zip(ranks, (heat[0], ties[1]), strict=True):
        falling = resize_map(by, 12).ravel()[np.argsort(own)]
        assert (np.diff(falling) <= 0).all()


def test_shares_kept_are_the_positive_part_from_0_to_1() -> None:
    heat = np.array([[[-1.0, 0], [1, 2]], [[-3, -2], [-1, 0]], [[2, 4], [4, 6]]], np.float32)
    found = kept_shares(heat, 2)[:, 0].numpy()
    assert found.tolist() == [[[0, 0], [0.5, 1]], [[0, 0], [0, 0]], [[0, 0.5], [0.5, 1]]]


def small_network() -> nn.Module:
    torch.manual_seed(0)
    layers = nn.Sequential(
        *(nn.Conv2d(3, 8, 5, 2), nn.Tanh(), nn.Conv2d(8, 8, 3), nn.Tanh()),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2)),
    )
    with torch.no_grad():
        cast(nn.Linear, layers[-1]).weight.mul_(20)
    return layers.eval()


class Fixed:
    """Maps handed to torchcam as if a method had drawn them."""

    def __init__(self, model: nn.Module, maps: Tensor) -> None:
        self.model, self.maps = model, maps

    def __call__(self, *_: Any, **__: Any) -> list[Tensor]:
        return [self.maps]

    def fuse_cams(self, cams: list[Tensor]) -> Tensor:
        return cams[0]

    def _hooks_off(self) -> Any:
        return nullcontext()


@pytest.fixture(scope="module")
def images() -> Tensor:
    return torch.from_numpy(np.random.default_rng(3).normal(size=(6, 3, 49, 49)).astype(np.float32))


@torch.no_grad()
def measured_once(classify: Classify, images: Tensor, heat: np.ndarray) -> tuple[Subject, Measured]:
    """Measure one map of each image, without noise on imputed pixels."""
    subject = subject_of(classify, images, classify(images).numpy(), IDS[: len(images)], 0)
    silent = subject._replace(noise=torch.zeros_like(images))
    return silent, measure(classify, silent, [heat], heat)


def test_average_drop_and_increase_are_torchcams(images: Tensor) -> None:
    from torchcam.metrics import ClassificationMetric

    heat = np.random.default_rng(0).random((6, 7, 7)).astype(np.float32)
    heat -= heat.min(axis=(1, 2), keepdims=True)
    heat /= heat.max(axis=(1, 2), keepdims=True)
    model = small_network()
    metric = ClassificationMetric(
        cast(Any, Fixed(model, torch.from_numpy(heat))), partial(torch.softmax, dim=-1)
    )
    metric.update(images)
    _, one = measured_once(model, images, 3 * heat)
    five = Measured(*(np.concatenate([field] * (1 + len(CONTROLS))) for field in one))
    with torch.no_grad():
        scores = scores_of(five, model(images).numpy())
    expected = metric.summary()
    assert expected["avg_drop"] > 0.001
    assert 0 < expected["conf_increase"] < 1
    assert scores["average_drop"].own.mean() == pytest.approx(expected["avg_drop"], abs=1e-5)
    assert scores["increase"].own.mean() == expected["conf_increase"]


def test_areas_under_the_curves_are_torchcams(images: Tensor) -> None:
    from torchcam.metrics import DeletionInsertionMetric

    images = images[..., :48, :48]
    heat = np.random.default_rng(1).random((6, 48, 48)).astype(np.float32)
    model = small_network()
    subject, one = measured_once(model, images, heat)
    for number, name in enumerate(BASELINES):
        metric = DeletionInsertionMetric(
            cast(Any, Fixed(model, torch.from_numpy(heat))),
            lambda logits: logits - logits.flip(1),
            steps=8,
            baseline=subject.baselines[name],
        )
        metric.update(images)
        areas = np.trapezoid(one.curves[0, number], FRACTIONS, axis=1).mean(axis=1)
        expected = metric.summary()
        assert areas == pytest.approx(
            [expected["deletion_auc"], expected["insertion_auc"]], abs=1e-4
        )


def test_road_is_the_librarys(images: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    from pytorch_grad_cam.metrics import road

    silent = (0.0, road.neighbors_weights)
    monkeypatch.setattr(road.NoisyLinearImputer.__init__, "__defaults__", silent)
    rng = np.random.default_rng(0)
    heat = np.stack([rng.permutation(49 * 49).reshape(49, 49) / 4096 for _ in images])
    model = small_network()
    with torch.no_grad():
        pairs = np.stack(margin_classes(model(images).numpy()), axis=1)
    targets = [lambda logits, p=pair: logits[p[0]] - logits[p[1]] for pair in pairs]
    expected = road.ROADCombined([10, 30, 50, 70, 90])(
        images, heat.astype(np.float32), targets, model
    )
    _, one = measured_once(model, images, heat.astype(np.float32))
    assert np.ptp(expected) > 0.01
    assert one.road[0] == pytest.approx(expected, abs=1e-3)
