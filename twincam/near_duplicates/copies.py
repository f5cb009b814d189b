"""Find copies of a data set's images among other files."""

from pathlib import Path

import numpy as np
import pandas as pd

from twincam.images.decoding import BadImageError, decode
from twincam.images.parallel import in_order
from twincam.near_duplicates.alignment import THUMBNAIL
from twincam.near_duplicates.files import near_duplicate_files
from twincam.near_duplicates.hashes import FLAT, hash_values, perceptual_hash
from twincam.near_duplicates.search import first_connected


def copies_of(
    root: Path, split: pd.DataFrame, files: list[Path], distance: int, max_pixels: int
) -> dict[Path, str]:
    """Find scaled, re-saved or slightly cropped copies of the data set's images among ``files``.

    Args:
        root: ``data.root``.
        split: ``data/split.csv``.
        files: image files; unreadable ones are not copies.
        distance: ``split.near_duplicate_distance``; -1 finds none.
        max_pixels: larger images are not read.

    Returns:
        For each file that is a copy, the path in ``split`` of an original.
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
    pairs = near_duplicate_files(paths, hashes, distance, first_new=len(split))
    first = first_connected(len(paths), pairs)
    return {
        path: split["path"].iloc[first[at]]
        for at, path in enumerate(paths)
        if first[at] < len(split) <= at
    }
