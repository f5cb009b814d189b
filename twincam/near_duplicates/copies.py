"""Find copies of a data set's images among other files."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from twincam.images.decoding import BadImageError, decode
from twincam.images.parallel import in_order
from twincam.near_duplicates.alignment import THUMBNAIL
from twincam.near_duplicates.hashes import FLAT, hash_values, perceptual_hash
from twincam.near_duplicates.search import connected, near_duplicates


def read_small(path: Path) -> Image.Image:
    """Read an image of the data set at a size that suffices to compare it.

    Raises:
        BadImageError: as `decode`.
    """
    return decode(path, at_least=THUMBNAIL).image


def copies_of(
    root: Path, split: pd.DataFrame, files: list[Path], distance: int, max_pixels: int
) -> dict[Path, str]:
    """Find among ``files`` scaled, re-saved or slightly cropped copies of the data set's images.

    Args:
        root: ``data.root``.
        split: ``data/split.csv``.
        files: image files; what cannot be read is a copy of nothing.
        distance: ``split.near_duplicate_distance``; -1 finds none.
        max_pixels: larger images are not read.

    Returns:
        The path in ``split`` of an image that the file is a copy of.
    """

    def hashed(file: Path) -> int:
        try:
            return perceptual_hash(decode(file, max_pixels, at_least=THUMBNAIL).image)
        except BadImageError:
            return FLAT

    if distance < 0 or not files:
        return {}
    found = list(in_order(hashed, files, "copies"))
    hashes = np.concatenate([hash_values(split["phash"]), np.array(found, np.uint64)])
    paths = [*(root / path for path in split["path"]), *files]

    def read(rows: np.ndarray) -> Iterable[Image.Image]:
        return in_order(read_small, [paths[row] for row in rows], "copies")

    pairs = near_duplicates(hashes, distance, read, since=len(split))
    first = connected(len(paths), pairs)
    return {
        path: split["path"].iloc[first[at]]
        for at, path in enumerate(paths)
        if first[at] < len(split) <= at
    }
