"""Pictures to explain, from files, bytes, arrays or Pillow."""

from pathlib import Path

import numpy as np
from PIL import Image

from twincam.deliveries import Opened, open_file
from twincam.files.errors import UserError
from twincam.images.decoding import BadImageError, to_rgb
from twincam.images.harmonising import Square

Picture = Path | str | bytes | np.ndarray | Image.Image
"""A path, the content of a file, an array of bytes ``[H,W]`` or ``[H,W,3 or 4]``, or an image."""

MOST_PIXELS = 100_000_000
"""Larger pictures are refused."""


def open_picture(picture: Picture, settings: Square) -> Opened:
    """Return ``picture`` as an image, to be prepared as ``settings`` say.

    Raises:
        BadImageError: it cannot be used as an image.
        UserError: it is none of these kinds.
    """
    if isinstance(picture, str | Path):
        return open_file(Path(picture), settings, MOST_PIXELS)[1]
    if isinstance(picture, bytes):
        return open_file(picture, settings, MOST_PIXELS)[1]
    image = picture if isinstance(picture, Image.Image) else _from_array(picture)
    if image.width * image.height > MOST_PIXELS:
        raise BadImageError(f"{image.width}×{image.height} pixels, more than {MOST_PIXELS}")
    whole = to_rgb(image)
    return Opened(whole, whole)


def name_of(picture: Picture) -> str:
    """Return the name a picture is shown by: its file's, or "picture"."""
    if isinstance(picture, str | Path):
        return Path(picture).name
    file = getattr(picture, "filename", "")
    return Path(file).name if file else "picture"


def _from_array(array: np.ndarray) -> Image.Image:
    found = type(array).__name__
    if isinstance(array, np.ndarray):
        colours = array.shape[2:] in ((), (3,), (4,))
        if array.dtype == np.uint8 and array.size and array.ndim >= 2 and colours:
            return Image.fromarray(array)
        found = f"{array.dtype} {list(array.shape)}"
    raise UserError(
        "expected a path, bytes of a file, a Pillow image or an array of uint8 [H,W,3], got "
        f"{found}; scale numbers from 0 to 1 by 255 and convert them with .astype('uint8')"
    )
