"""Near duplicates among image files."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from twincam.images.decoding import decode
from twincam.images.parallel import in_order
from twincam.near_duplicates.alignment import THUMBNAIL
from twincam.near_duplicates.search import near_duplicates


def near_duplicate_files(
    paths: Sequence[Path], hashes: np.ndarray, distance: int, first_new: int = 0
) -> np.ndarray:
    """Return pairs of files that show the same picture, enough to connect all that do.

    Args:
        paths: of N readable images.
        hashes: their perceptual hashes, uint64 [N].
        distance: of hashes, in bits; -1 finds no pair.
        first_new: 0..N; files before it are not compared with each other.

    Returns:
        int [M, 2], i < j.

    Raises:
        BadImageError: a file can no longer be read.
    """

    def read(rows: np.ndarray) -> Iterable[Image.Image]:
        return in_order(_read_small, [paths[row] for row in rows], "near duplicates")

    return near_duplicates(hashes, distance, read, first_new)


def _read_small(path: Path) -> Image.Image:
    return decode(path, at_least=THUMBNAIL).image
