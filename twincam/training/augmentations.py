"""Random changes of training images that do not change their class."""

from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image

from twincam import corruptions

Augmentation = Callable[[Image.Image, np.random.Generator], Image.Image]


def flip(image: Image.Image, _rng: np.random.Generator) -> Image.Image:
    """Flip left to right."""
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def crop(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Cut a random square of 80-100 % of the side and scale it back."""
    return _random_crop(image, 0.8, rng)


def compress(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Re-encode as JPEG of quality 50-95."""
    return corruptions.jpeg(image, int(rng.integers(50, 96)))


def blur(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Blur with a Gaussian of 0.2-0.8 pixels."""
    return corruptions.blur(image, rng.uniform(0.2, 0.8))


def rescale(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Scale to 50-100 % of the side, and back."""
    return corruptions.rescale(image, rng.uniform(0.5, 1.0))


def noise(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Add Gaussian noise of 0-8 grey levels."""
    return corruptions.noise(image, rng.uniform(0, 8), rng)


def brightness(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Make it darker or lighter by up to 30 %."""
    return corruptions.brightness(image, rng.uniform(0.7, 1.3))


def strong_crop(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Cut a random square of 60-100 % of the side and scale it back."""
    return _random_crop(image, 0.6, rng)


def strong_compress(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Re-encode as JPEG of quality 30-95."""
    return corruptions.jpeg(image, int(rng.integers(30, 96)))


def strong_blur(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Blur with a Gaussian of 0.2-2 pixels."""
    return corruptions.blur(image, rng.uniform(0.2, 2.0))


AUGMENTATIONS: dict[str, Augmentation] = {
    "flip": flip,
    "crop": crop,
    "compress": compress,
    "blur": blur,
    "rescale": rescale,
    "noise": noise,
    "brightness": brightness,
    "strong_crop": strong_crop,
    "strong_compress": strong_compress,
    "strong_blur": strong_blur,
}


def _random_crop(image: Image.Image, least: float, rng: np.random.Generator) -> Image.Image:
    side = round(image.width * rng.uniform(least, 1.0))
    left, top = rng.integers(0, image.width - side + 1, size=2)
    box = (left, top, left + side, top + side)
    return image.resize(image.size, Image.Resampling.BICUBIC, box=box)


def augment(image: np.ndarray, names: Sequence[str], rng: np.random.Generator) -> np.ndarray:
    """Apply each of the named augmentations with probability 1/2, in the order given.

    Args:
        image: bytes ``[H,W,3]``, square.
        names: keys of `AUGMENTATIONS`.
        rng: determines which are applied, and how strongly.
    """
    picture = Image.fromarray(np.asarray(image))
    for name in names:
        if rng.random() < 0.5:
            picture = AUGMENTATIONS[name](picture, rng)
    return np.asarray(picture)
