"""Perceptual hashes of images, and their distances."""

import numpy as np
import pandas as pd
from PIL import Image
from scipy.fft import dctn

FLAT = 2**64 - 1
"""The hash of an image without structure."""


def perceptual_hash(image: Image.Image) -> int:
    """Return 64 bits that change little when an image is resized, re-encoded or brightened.

    The classic DCT hash: 32×32 grey (Lanczos), the 8×8 lowest frequencies including the mean, each
    compared with their median. At most 32 bits are set. An image without structure, whose hash
    would be noise, gets `FLAT`.
    """
    small = image.convert("L").resize((32, 32), Image.Resampling.LANCZOS, reducing_gap=3.0)
    pixels = np.asarray(small, dtype=np.float64)
    if pixels.std() < 1:
        return FLAT
    lowest = dctn(pixels, norm="ortho")[:8, :8].round(3)
    return int.from_bytes(np.packbits(lowest > np.median(lowest)).tobytes(), "big")


def hamming_distances(hashes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the number of differing bits, uint8 of the broadcast shape; 255 if one is `FLAT`."""
    return np.where(
        (hashes == FLAT) | (others == FLAT), np.uint8(255), np.bitwise_count(hashes ^ others)
    )


def hash_text(hashes: pd.Series) -> pd.Series:
    """Return hashes, uint64, as text of 16 hexadecimal digits."""
    return hashes.map("{:016x}".format)


def hash_values(texts: pd.Series) -> np.ndarray:
    """Return the hashes, uint64 [N], that `hash_text` turned into text."""
    return np.array([int(text, 16) for text in texts], np.uint64)
