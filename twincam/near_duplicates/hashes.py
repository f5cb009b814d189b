"""Perceptual hashes of images, and which are near each other."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from PIL import Image
from scipy.fft import dctn

FLAT = 2**64 - 1
"""The hash of an image without structure."""


def perceptual_hash(image: Image.Image) -> int:
    """Return 64 bits that change little when an image is resized, re-encoded or brightened.

    The classic DCT hash: 32×32 grey (Lanczos), the 8×8 lowest frequencies including the mean, each
    against their median. At most 32 bits are set. `FLAT` stands for an image without structure,
    of which such a hash would be noise.
    """
    small = image.convert("L").resize((32, 32), Image.Resampling.LANCZOS, reducing_gap=3.0)
    pixels = np.asarray(small, dtype=np.float64)
    if pixels.std() < 1:
        return FLAT
    lowest = dctn(pixels, norm="ortho")[:8, :8].round(3)
    return int.from_bytes(np.packbits(lowest > np.median(lowest)).tobytes(), "big")


def bits_apart(hashes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return how many bits differ, uint8 of the shape both broadcast to; 255 beside a `FLAT`."""
    return np.where(
        (hashes == FLAT) | (others == FLAT), np.uint8(255), np.bitwise_count(hashes ^ others)
    )


def near_pairs(
    hashes: np.ndarray, distance: int, since: int = 0, rows: int = 256
) -> Iterator[np.ndarray]:
    """Yield the pairs i < j, j at least ``since``, of hashes within ``distance`` bits.

    Args:
        hashes: uint64 [N]; `FLAT` is near nothing.
        distance: -1..64.
        since: 0..N; what comes before is not compared with itself.
        rows: compared with all others at a time, which bounds the memory.

    Yields:
        int [M, 2] for each block of rows.
    """
    for start in range(0, len(hashes) if distance >= 0 else 0, rows):
        later = max(start, since)
        block = hashes[start : start + rows, None]
        first, second = np.nonzero(bits_apart(block, hashes[None, later:]) <= distance)
        pairs = np.stack([first + start, second + later], axis=1)
        yield pairs[pairs[:, 0] < pairs[:, 1]]


def hash_text(hashes: pd.Series) -> pd.Series:
    """Write hashes, uint64, as 16 hexadecimal digits."""
    return hashes.map("{:016x}".format)


def hash_values(texts: pd.Series) -> np.ndarray:
    """Read what `hash_text` wrote: uint64 [N]."""
    return np.array([int(text, 16) for text in texts], np.uint64)
