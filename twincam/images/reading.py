"""A file to the square that models see, for a data set and for a single image alike."""

from pathlib import Path

import numpy as np

from twincam.images.decoding import Decoded, decode
from twincam.images.harmonising import harmonise
from twincam.images.params import Prepare


def read_image(path: Path, settings: Prepare) -> tuple[Decoded, np.ndarray]:
    """Return what the file at ``path`` is, and its square uint8 ``[size,size,3]``, RGB.

    Raises:
        BadImageError: no regular file, unreadable, no image, too large or damaged.
    """
    found = decode(path, at_least=2 * settings.image_size)
    square = harmonise(found.image, settings.image_size, settings.harmonise, settings.jpeg_quality)
    return found, square
