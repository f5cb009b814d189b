"""Deliveries: a picture as sharing platforms process it, prepared for the classifier."""

import io
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image

from twincam.corruptions import crop, jpeg, letterbox, rescale
from twincam.files.deliveries import AS_IS
from twincam.images.decoding import BadImageError, changed_since_split, decode, decode_stream
from twincam.images.harmonising import Square, harmonise

if TYPE_CHECKING:
    from twincam.images.params import Prepare

LONGEST = 2048
"""Largest side in pixels that platforms keep."""

WAYS: dict[str, Callable[[Image.Image], Image.Image]] = {
    **{f"JPEG {quality}": partial(jpeg, quality=quality) for quality in (95, 75, 60, 40)},
    "half size": partial(rescale, share=0.5),
    "60 % crop": partial(crop, share=0.6),
    "letterbox": partial(letterbox, share=0.75),
}
DELIVERIES = (AS_IS, *WAYS)
"""D names, in the order in which `deliver` returns them."""

Each = Callable[[Callable[[str], np.ndarray], Sequence[str]], Iterable[np.ndarray]]
"""What applies a function to each of some names, in order: `map`, or that of a pool of threads."""


class Opened(NamedTuple):
    """An image, RGB: as decoded for `prepare`; and ``whole``, in full, at least to `LONGEST`."""

    image: Image.Image
    whole: Image.Image


def open_file(
    file: Path | bytes, settings: "Prepare | Square", max_pixels: int | None
) -> tuple[str, Opened]:
    """Return the sha256 of an image file, or its content, and the image.

    Args:
        file: an image file of any kind that `decode` reads.
        settings: how images are prepared.
        max_pixels: larger images are bad; None for no limit.

    Raises:
        BadImageError: not a regular file, unreadable, not an image, or damaged.
    """
    if isinstance(file, Path):
        read = partial(decode, file)
    else:
        read = partial(decode_stream, io.BytesIO(file))
    found = read(max_pixels, at_least=2 * settings.image_size)
    whole = found.image.size == (found.width, found.height)
    picture = found.image if whole else read(max_pixels, at_least=LONGEST).image
    return found.sha256, Opened(found.image, picture)


def read_deliveries(
    file: Path | bytes, settings: "Prepare | Square", max_pixels: int | None
) -> tuple[str, np.ndarray]:
    """Return the sha256 of an image file, or its content, and its deliveries ``[D,S,S,3]``, bytes.

    Arguments and errors as for `open_file`.
    """
    sha256, opened = open_file(file, settings, max_pixels)
    return sha256, deliver(opened, settings)


def own_deliveries(
    file: Path, sha256: str, settings: "Prepare | Square", max_pixels: int | None
) -> np.ndarray:
    """Return the deliveries ``[D,S,S,3]``, bytes, of an image of the data set.

    Args:
        file: of the image.
        sha256: of the file when it was split.
        settings: how images are prepared.
        max_pixels: as for `open_file`.

    Raises:
        UserError: the file changed since then.
    """
    try:
        found, squares = read_deliveries(file, settings, max_pixels)
    except BadImageError as error:
        raise changed_since_split(file, str(error)) from None
    if found != sha256:
        raise changed_since_split(file, "different content")
    return squares


def deliver(opened: Opened, settings: "Prepare | Square", each: Each = map) -> np.ndarray:
    """Return the deliveries of an image, bytes ``[D,S,S,3]``; the first is the image as it is.

    For the others the whole image is scaled to at most `LONGEST` pixels, processed and then
    prepared like any image.

    Args:
        opened: the image.
        settings: how images are prepared.
        each: applies a function to each delivery's name.
    """
    prepared = partial(
        harmonise,
        size=settings.image_size,
        crop=settings.harmonise,
        jpeg_quality=settings.jpeg_quality,
    )
    sent = opened.whole.copy()
    sent.thumbnail((LONGEST, LONGEST), Image.Resampling.LANCZOS)

    def one(name: str) -> np.ndarray:
        return prepared(opened.image if name == AS_IS else WAYS[name](sent))

    return np.stack(list(each(one, (AS_IS, *WAYS))))
