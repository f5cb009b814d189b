"""Metadata of an image file, read without decoding its pixels."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image, JpegImagePlugin

from twincam.images.formats import FORMATS

LUMINANCE = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ]
)
"""The luminance table of JPEG's Annex K (ITU-T T.81), row by row: quality 50."""

COMMON = 20


def read_metadata(path: Path) -> dict[str, Any]:
    """Return the metadata in an image file's header; numbers that a format lacks are 0."""
    with Image.open(path, formats=FORMATS) as image:
        tables = getattr(image, "quantization", None) or {}
        width, height = image.size
        size = path.stat().st_size
        return {
            "format": str(image.format),
            "mode": image.mode,
            "width": width,
            "height": height,
            "pixels": width * height,
            "aspect": width / height,
            "bytes": size,
            "bytes per pixel": size / (width * height),
            "JPEG quality": jpeg_quality(tables[0]) if 0 in tables else 0.0,
            "JPEG tables": table_name(tables) if tables else "none",
            "JPEG subsampling": subsampling(image),
            "JPEG progressive": float(bool(image.info.get("progressive"))),
            "EXIF tags": float(exif_tags(image)),
        }


def jpeg_quality(table: Any) -> float:
    """Estimate libjpeg's quality, 1 to 100, from the luminance table.

    The mean over entries of ``table / LUMINANCE`` gives the scaling s in percent; s = 200 - 2 q for
    q of at least 50, else 5000 / q.
    """
    scale = 100 * float(np.mean(np.sort(np.asarray(table)) / np.sort(LUMINANCE, axis=None)))
    return (200 - scale) / 2 if scale <= 100 else 5000 / scale


def table_name(tables: dict[int, Any]) -> str:
    """Return a short name for a file's quantization tables, which differ between encoders."""
    text = repr([list(tables[key]) for key in sorted(tables)])
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def subsampling(image: Image.Image) -> str:
    """Return how a JPEG's colour is subsampled, or ``none``."""
    if not isinstance(image, JpegImagePlugin.JpegImageFile):
        return "none"
    return {0: "4:4:4", 1: "4:2:2", 2: "4:2:0"}.get(JpegImagePlugin.get_sampling(image), "other")


def exif_tags(image: Image.Image) -> int:
    """Return how many EXIF tags a file has; a malformed block counts as 0."""
    try:
        return len(image.getexif())
    except Exception:  # malformed EXIF can make Pillow raise almost anything
        return 0


def as_features(table: pd.DataFrame) -> pd.DataFrame:
    """Return ``table`` as numbers, one-hot encoding the `COMMON` most frequent words of a column.

    Text columns become ``<column> = <word>``, 0 or 1.
    """
    words = table.select_dtypes(exclude="number")
    common = {name: words[name].value_counts().index[:COMMON] for name in words}
    flags = {
        f"{name} = {word}": (words[name] == word).astype(float)
        for name, values in common.items()
        for word in sorted(values)
    }
    return table.select_dtypes("number").astype(float).assign(**flags)
