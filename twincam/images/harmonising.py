"""Turn an image, and maps of it, into the square that models receive."""

import io
from typing import NamedTuple

import numpy as np
from PIL import Image


class Square(NamedTuple):
    """How images are harmonised: the block ``prepare`` without its checks.

    Reading the block's own model takes longer than harmonising an image.
    """

    image_size: int
    harmonise: bool
    jpeg_quality: int


def harmonise(image: Image.Image, size: int, crop: bool, jpeg_quality: int) -> np.ndarray:
    """Turn an RGB image into a square of ``size`` pixels.

    Args:
        image: RGB.
        size: of each side of the result, in pixels.
        crop: True crops the centre square and re-encodes the result as JPEG, so that all images
            have the same shape, size and compression; False squashes the whole image and does not
            re-encode it.
        jpeg_quality: 1..100, with 4:2:0 subsampling.

    Returns:
        uint8 [size, size, 3].
    """
    square = image.resize(
        (size, size), Image.Resampling.LANCZOS, _region(image, crop), reducing_gap=3.0
    )
    if crop:
        encoded = io.BytesIO()
        square.save(encoded, "JPEG", quality=jpeg_quality, subsampling="4:2:0")
        square = Image.open(encoded)
    return np.asarray(square)


def warp(labels: np.ndarray, size: int, crop: bool) -> np.ndarray:
    """Crop and resize a map of labels, uint8 [H, W], as `harmonise` does its image.

    Returns:
        uint8 [size, size], by nearest neighbour, so that no new labels arise.
    """
    image = Image.fromarray(labels)
    return np.asarray(
        image.resize((size, size), Image.Resampling.NEAREST, box=_region(image, crop))
    )


def _region(image: Image.Image, crop: bool) -> tuple[int, int, int, int]:
    width, height = image.size
    if not crop:
        return 0, 0, width, height
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    return left, top, left + side, top + side
