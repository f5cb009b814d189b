"""Cut views from an image before it is described, at native scale or equalised."""

from typing import NamedTuple

import numpy as np
from PIL import Image

from twincam.corruptions import jpeg

SIDE, PATCH, QUALITY = 160, 224, 85
"""Pixels of a view and of the patch it is cut from; final JPEG quality of every view."""

FITTED = 256
KERNELS = (
    Image.Resampling.BOX,
    Image.Resampling.BILINEAR,
    Image.Resampling.HAMMING,
    Image.Resampling.BICUBIC,
    Image.Resampling.LANCZOS,
)


class Plan(NamedTuple):
    """How a view is made: ``scale`` native, fitted or random; ``recompress`` at random."""

    scale: str
    recompress: bool


TRAINING, SCORING = Plan("random fitted", True), Plan("fitted", False)
"""Used by the stage: whatever an image's history, its views are small, downscaled and encoded."""


def scaled(image: Image.Image, plan: Plan, rng: np.random.Generator) -> Image.Image:
    """Scale ``image`` as planned.

    Random scales make the shorter side anything between `SIDE` and its own length (fitted: and at
    most `FITTED`), uniform in the logarithm. An image with less than `SIDE` pixels is enlarged.
    """
    short = min(image.size)
    largest = min(short, FITTED) if "fitted" in plan.scale else short
    target = float(largest)
    if "random" in plan.scale and largest > SIDE:
        target = float(np.exp(rng.uniform(np.log(SIDE), np.log(largest))))
    kernel = KERNELS[int(rng.integers(len(KERNELS)))]
    target = max(target, SIDE)
    if round(target) != short:
        kernel = kernel if "random" in plan.scale else Image.Resampling.LANCZOS
        size = tuple(max(SIDE, round(side * target / short)) for side in image.size)
        image = image.resize((size[0], size[1]), kernel)
    return image


def cut_patch(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Cut a random square of up to `PATCH` pixels out of ``image``."""
    return _cut(image, min(PATCH, *image.size), rng)


def finish(square: Image.Image, plan: Plan, rng: np.random.Generator) -> np.ndarray:
    """Re-encode a patch once or twice and cut the view out of it: bytes ``[SIDE,SIDE,3]``.

    Where planned, a first JPEG of quality 60-95 comes before the cut in half of the cases, so
    that its grid differs from that of the last one. All views end as JPEG of quality `QUALITY`.
    """
    if plan.recompress and rng.random() < 0.5:
        square = jpeg(square, int(rng.integers(60, 96)))
    return np.asarray(jpeg(_cut(square, SIDE, rng), QUALITY))


def _cut(image: Image.Image, side: int, rng: np.random.Generator) -> Image.Image:
    left = int(rng.integers(0, image.width - side + 1))
    top = int(rng.integers(0, image.height - side + 1))
    return image.crop((left, top, left + side, top + side))
