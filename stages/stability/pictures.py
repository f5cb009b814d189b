"""Send a picture on the ways that pictures take to their readers, and prepare what arrives."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from twincam.corruptions import crop, jpeg, letterbox, rescale
from twincam.files.deliveries import AS_IS
from twincam.files.errors import UserError
from twincam.images.decoding import BadImageError, check_name, decode, printable
from twincam.images.harmonising import harmonise
from twincam.images.params import Prepare

LONGEST = 2048
"""Pixels of the longer side that platforms leave a picture."""

WAYS: dict[str, Callable[[Image.Image], Image.Image]] = {
    **{f"JPEG {quality}": partial(jpeg, quality=quality) for quality in (95, 75, 60, 40)},
    "half size": partial(rescale, share=0.5),
    "60 % crop": partial(crop, share=0.6),
    "letterbox": partial(letterbox, share=0.75),
}
DELIVERIES = (AS_IS, *WAYS)
"""D names, in the order of what `deliver` returns."""


class Picture(NamedTuple):
    """An image to deliver: what its rows in the table say, and its file.

    ``sha256`` is what the file held when it was split, "" for an image of another source.
    ``fault`` says why a file of another source cannot be read at all, if so.
    """

    id: str
    path: str
    split: str
    source: str
    label: str
    file: Path
    sha256: str = ""
    fault: str = ""


class LeftOut(NamedTuple):
    """Why an image of another source is not judged; ``because_of``: the image it is a copy of."""

    path: str
    reason: str
    because_of: str = ""


def read_deliveries(file: Path, settings: Prepare, max_pixels: int) -> tuple[str, np.ndarray]:
    """Read one image file and return its sha256 and its deliveries, bytes ``[D,S,S,3]``.

    The first is the image as `prepare` reads it. For the others the image is decoded in full,
    scaled to at most `LONGEST` pixels, sent on its way and then prepared as any image.

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
    known: Mapping[str, str],
    copies: Mapping[Path, str],
    picture: Picture,
) -> np.ndarray | LeftOut:
    """Return the deliveries of ``picture``, bytes ``[D,S,S,3]``, or why there are none.

    Args:
        settings: as for `read_deliveries`.
        max_pixels: as for `read_deliveries`.
        known: the path of an image of the data set for each sha256 in it: an image of another
            source must be none of them.
        copies: the same for each file of another source that is a scaled or re-saved copy.
        picture: what to deliver.

    Raises:
        UserError: an image of the data set is not the one of split.csv any more.
    """
    try:
        if picture.fault:
            raise BadImageError(picture.fault)
        check_name(picture.path)
        sha256, squares = read_deliveries(picture.file, settings, max_pixels)
    except BadImageError as error:
        if picture.sha256:
            raise UserError(_changed(picture, str(error))) from None
        return LeftOut(printable(picture.path), printable(str(error)))
    if picture.sha256:
        if sha256 != picture.sha256:
            raise UserError(_changed(picture, "other content"))
    elif twin := known.get(sha256) or copies.get(picture.file):
        return LeftOut(picture.path, f"a copy of {twin} of the data set", twin)
    return squares


def _changed(picture: Picture, reason: str) -> str:
    return f"{picture.file}: changed since it was split ({reason}); run `dvc repro` to split anew"
