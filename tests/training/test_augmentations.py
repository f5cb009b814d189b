"""Variations: each does what it is called, and the first four draw as they always did."""

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageFilter
from pydantic import ValidationError

from twincam.training.augmentations import AUGMENTATIONS, augment
from twincam.training.params import AugmentedViews

PIXELS = np.random.default_rng(0).integers(40, 200, (16, 16, 3), dtype=np.uint8)
IMAGE = Image.fromarray(PIXELS).resize((64, 64), Image.Resampling.BICUBIC)


def flip(image: Image.Image, _rng: np.random.Generator) -> Image.Image:
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def crop(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    side = round(image.width * rng.uniform(0.8, 1.0))
    left, top = rng.integers(0, image.width - side + 1, size=2)
    box = (left, top, left + side, top + side)
    return image.resize(image.size, Image.Resampling.BICUBIC, box=box)


def compress(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=int(rng.integers(50, 96)))
    return Image.open(buffer).convert("RGB")


def blur(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(rng.uniform(0.2, 0.8)))


@pytest.mark.parametrize("before", [flip, crop, compress, blur])
def test_committed_runs_keep_their_draws(before: Callable[..., Image.Image]) -> None:
    ours, theirs = np.random.default_rng(3), np.random.default_rng(3)
    for _ in range(5):
        now = AUGMENTATIONS[before.__name__](IMAGE, ours)
        assert np.array_equal(np.asarray(now), np.asarray(before(IMAGE, theirs)))
    assert ours.bit_generator.state == theirs.bit_generator.state


def views(*names: str) -> AugmentedViews:
    return AugmentedViews(views=1, augmentations=list(names), activation_cache_gb=0.0)


def test_parameters_allow_what_is_registered() -> None:
    assert views(*AUGMENTATIONS).augmentations == list(AUGMENTATIONS)
    with pytest.raises(ValidationError, match=r"'flip', 'crop', .* or 'strong_blur'"):
        views("sepia")


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_a_variation_changes_pixels_and_keeps_the_size(name: str) -> None:
    changed = AUGMENTATIONS[name](IMAGE, np.random.default_rng(1))
    assert (changed.size, changed.mode) == (IMAGE.size, "RGB")
    assert not np.array_equal(np.asarray(changed), np.asarray(IMAGE))


def most_change(name: str) -> float:
    rng = np.random.default_rng(2)
    clean = np.asarray(IMAGE, float)
    return max(
        float(np.abs(np.asarray(AUGMENTATIONS[name](IMAGE, rng), float) - clean).mean())
        for _ in range(40)
    )


@pytest.mark.parametrize("name", ["compress", "blur"])
def test_strong_ones_go_further(name: str) -> None:
    assert most_change(f"strong_{name}") > 1.2 * most_change(name)


def test_strong_crop_magnifies_more() -> None:
    ramp = np.broadcast_to(np.arange(100, dtype=np.uint8)[None, :, None], (100, 100, 3))
    spans = {}
    for name in ("crop", "strong_crop"):
        rng = np.random.default_rng(4)
        cut = [np.asarray(AUGMENTATIONS[name](Image.fromarray(ramp), rng)) for _ in range(60)]
        spans[name] = min(int(one.max()) - int(one.min()) for one in cut)
    assert 55 <= spans["strong_crop"] < 66
    assert 76 <= spans["crop"] < 88


def test_brightness_and_noise_stay_in_their_range() -> None:
    grey = Image.new("RGB", (64, 64), (100, 100, 100))
    rng = np.random.default_rng(5)
    light = [float(np.asarray(AUGMENTATIONS["brightness"](grey, rng)).mean()) for _ in range(60)]
    assert 69 <= min(light) < 80
    assert 120 < max(light) <= 131
    noise = [float(np.asarray(AUGMENTATIONS["noise"](grey, rng)).std()) for _ in range(60)]
    assert min(noise) < 1
    assert 7 < max(noise) < 8.3


def test_each_is_applied_half_of_the_time_in_the_order_given() -> None:
    rng = np.random.default_rng(6)
    pixels = np.asarray(IMAGE)
    kept = [np.array_equal(augment(pixels, ["flip"], rng), pixels) for _ in range(200)]
    assert 70 < sum(kept) < 130
    assert np.array_equal(augment(pixels, [], rng), pixels)
