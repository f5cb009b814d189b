"""Random variations of an image for training: flip, crop, re-compression, blur."""

import io
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image, ImageFilter

Variation = Callable[[Image.Image, np.random.Generator], Image.Image]


def flip(image: Image.Image, _rng: np.random.Generator) -> Image.Image:
    """Mirror left and right."""
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def crop(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Cut a random square of 80-100 % of the side and scale it back."""
    side = round(image.width * rng.uniform(0.8, 1.0))
    left, top = rng.integers(0, image.width - side + 1, size=2)
    box = (left, top, left + side, top + side)
    return image.resize(image.size, Image.Resampling.BICUBIC, box=box)


def compress(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Re-encode as JPEG of quality 50-95."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=int(rng.integers(50, 96)))
    return Image.open(buffer).convert("RGB")


def blur(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Blur with a Gaussian of 0.2-0.8 pixels."""
    return image.filter(ImageFilter.GaussianBlur(rng.uniform(0.2, 0.8)))


VARIATIONS: dict[str, Variation] = {"flip": flip, "crop": crop, "compress": compress, "blur": blur}


def vary(image: np.ndarray, names: Sequence[str], rng: np.random.Generator) -> np.ndarray:
    """Apply each of the named variations with probability 1/2, in the order given.

    Args:
        image: bytes ``[H,W,3]``, square.
        names: keys of `VARIATIONS`.
        rng: draws which are applied and how.
    """
    picture = Image.fromarray(np.asarray(image))
    for name in names:
        if rng.random() < 0.5:
            picture = VARIATIONS[name](picture, rng)
    return np.asarray(picture)
