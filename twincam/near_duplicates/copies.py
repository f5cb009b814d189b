"""Find copies of known images among other files."""

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
    root: Path, known: pd.DataFrame, files: list[Path], distance: int, max_pixels: int
) -> dict[Path, str]:
    """Find scaled, re-saved or slightly cropped copies of known images among ``files``.

    Args:
        root: the folder of the known images: ``data.root`` or ``data.external``.
        known: their ``path``, and ``phash`` where it was computed, as in ``data/split.csv``.
        files: image files; unreadable ones are not copies.
        distance: ``split.near_duplicate_distance``; -1 finds none.
        max_pixels: larger images are not read.

    Returns:
        For each file that is a copy, the path in ``known`` of an original.
    """

    def hashed(file: Path) -> int:
        try:
            return perceptual_hash(decode(file, max_pixels, at_least=THUMBNAIL).image)
        except BadImageError:
            return FLAT

    def hashes_of(files: list[Path]) -> np.ndarray:
        return np.array(list(in_order(hashed, files, "copies")), np.uint64)

    if distance < 0 or known.empty or not files:
        return {}
    originals = [root / path for path in known["path"]]
    own = hash_values(known["phash"]) if "phash" in known else hashes_of(originals)
    hashes, paths = np.concatenate([own, hashes_of(files)]), [*originals, *files]
    pairs = near_duplicate_files(paths, hashes, distance, first_new=len(known))
    first = first_connected(len(paths), pairs)
    return {
        path: known["path"].iloc[first[at]]
        for at, path in enumerate(paths)
        if first[at] < len(known) <= at
    }
