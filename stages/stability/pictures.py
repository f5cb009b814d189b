"""The pictures that are delivered and classified, and those that are skipped."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from twincam.deliveries import own_deliveries, read_deliveries
from twincam.images.decoding import BadImageError, check_name, printable
from twincam.images.params import Prepare


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
    if picture.sha256:
        return own_deliveries(picture.file, picture.sha256, settings, max_pixels)
    try:
        if picture.fault:
            raise BadImageError(picture.fault)
        check_name(picture.path)
        sha256, squares = read_deliveries(picture.file, settings, max_pixels)
    except BadImageError as error:
        return Skipped(printable(picture.path), printable(str(error)))
    if twin := by_sha256.get(sha256) or copies.get(picture.file):
        return Skipped(picture.path, f"a copy of {twin} in the data set", twin)
    return squares
