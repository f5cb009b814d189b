"""Corruptions that images suffer in use: compression, blur, scaling, cropping, noise, brightness.

Each function takes and returns an RGB image. Training samples augmentations from them, the stage
robustness applies them with increasing strength, and the stage stability to the evaluated images.
"""

import io

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter


def jpeg(image: Image.Image, quality: int) -> Image.Image:
    """Re-encode as JPEG of ``quality`` (1 to 100), with chroma at half resolution."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


def blur(image: Image.Image, deviation: float) -> Image.Image:
    """Blur with a Gaussian whose standard deviation is ``deviation`` pixels."""
    return image.filter(ImageFilter.GaussianBlur(deviation))


def rescale(image: Image.Image, share: float) -> Image.Image:
    """Scale to ``share`` (0 to 1) of each side, and back."""
    small = (max(1, round(image.width * share)), max(1, round(image.height * share)))
    return image.resize(small, Image.Resampling.BICUBIC).resize(
        image.size, Image.Resampling.BICUBIC
    )


def crop(image: Image.Image, share: float) -> Image.Image:
    """Crop the central ``share`` (0 to 1) of each side and scale it to the original size."""
    width, height = max(1, round(image.width * share)), max(1, round(image.height * share))
    left, top = (image.width - width) // 2, (image.height - height) // 2
    box = (left, top, left + width, top + height)
    return image.resize(image.size, Image.Resampling.BICUBIC, box=box)


def noise(image: Image.Image, deviation: float, rng: "np.random.Generator") -> Image.Image:
    """Add Gaussian noise of standard deviation ``deviation`` (of 255 levels) to every channel."""
    pixels = np.asarray(image, np.float32)
    noisy = pixels + rng.normal(0, deviation, pixels.shape)
    return Image.fromarray(noisy.round().clip(0, 255).astype(np.uint8))


def brightness(image: Image.Image, factor: float) -> Image.Image:
    """Multiply every channel by ``factor``, clipped at white."""
    return ImageEnhance.Brightness(image).enhance(factor)


def letterbox(image: Image.Image, share: float) -> Image.Image:
    """Centre the image on a black square; its longer side is ``share`` (0 to 1) of the square's."""
    side = round(max(image.size) / share)
    square = Image.new("RGB", (side, side))
    square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return square
