"""Read an image file as the square that models receive."""

from pathlib import Path

import numpy as np

from twincam.images.decoding import Decoded, decode
from twincam.images.harmonising import harmonise
from twincam.images.params import Prepare


def read_image(path: Path, settings: Prepare) -> tuple[Decoded, np.ndarray]:
    """Return the decoded file at ``path``, and its square, uint8 ``[size,size,3]`` RGB.

    Raises:
        BadImageError: not a regular file, unreadable, not an image, or damaged.
    """
    found = decode(path, at_least=2 * settings.image_size)
    square = harmonise(found.image, settings.image_size, settings.harmonise, settings.jpeg_quality)
    return found, square
