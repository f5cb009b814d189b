"""Process a picture as sharing platforms do, and prepare the results for the classifier."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from twincam.corruptions import crop, jpeg, letterbox, rescale
from twincam.files.deliveries import AS_IS
from twincam.images.decoding import (
    BadImageError,
    changed_since_split,
    check_name,
    decode,
    printable,
)
from twincam.images.harmonising import harmonise
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


class Picture(NamedTuple):
    """An image to deliver: its columns in the table, and its file.

    ``sha256`` is the file's hash when it was split, "" for an image of another source.
    ``fault`` is why a file of another source cannot be read, "" if it can.
    """

    id: str
    path: str
    split: str
    source: str
    label: str
    file: Path
    sha256: str = ""
    fault: str = ""


class Skipped(NamedTuple):
    """Why an image of another source is skipped; ``copy_of``: the image it is a copy of."""

    path: str
    reason: str
    copy_of: str = ""


def read_deliveries(file: Path, settings: Prepare, max_pixels: int) -> tuple[str, np.ndarray]:
    """Read one image file and return its sha256 and its deliveries, bytes ``[D,S,S,3]``.

    The first is the image as `prepare` reads it. For the others the image is decoded in full,
    scaled to at most `LONGEST` pixels, processed and then prepared like any image.

    Args:
        file: an image file of any kind that `decode` reads.
        settings: how images are prepared.
        max_pixels: larger images are bad.

    Raises:
        BadImageError: not a regular file, unreadable, not an image, or damaged.
    """
    prepared = partial(
        harmonise,
        size=settings.image_size,
        crop=settings.harmonise,
        jpeg_quality=settings.jpeg_quality,
    )
    found = decode(file, max_pixels, at_least=2 * settings.image_size)
    picture = decode(file, max_pixels).image
    picture.thumbnail((LONGEST, LONGEST), Image.Resampling.LANCZOS)
    arrived = [prepared(send(picture)) for send in WAYS.values()]
    return found.sha256, np.stack([prepared(found.image), *arrived])


def deliver(
    settings: Prepare,
    max_pixels: int,
    by_sha256: Mapping[str, str],
    copies: Mapping[Path, str],
    picture: Picture,
) -> np.ndarray | Skipped:
    """Return the deliveries of ``picture``, bytes ``[D,S,S,3]``, or why there are none.

    Args:
        settings: as for `read_deliveries`.
        max_pixels: as for `read_deliveries`.
        by_sha256: the path of an image of the data set for each sha256 in it; images of other
            sources with one of these are skipped.
        copies: the same for each file of another source that is a scaled or re-saved copy.
        picture: what to deliver.

    Raises:
        UserError: an image of the data set differs from the one in split.csv.
    """
    try:
        if picture.fault:
            raise BadImageError(picture.fault)
        check_name(picture.path)
        sha256, squares = read_deliveries(picture.file, settings, max_pixels)
    except BadImageError as error:
        if picture.sha256:
            raise changed_since_split(picture.file, str(error)) from None
        return Skipped(printable(picture.path), printable(str(error)))
    if picture.sha256:
        if sha256 != picture.sha256:
            raise changed_since_split(picture.file, "different content")
    elif twin := by_sha256.get(sha256) or copies.get(picture.file):
        return Skipped(picture.path, f"a copy of {twin} in the data set", twin)
    return squares
