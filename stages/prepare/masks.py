"""Read a mask however it is coded: where in an image the truth lies.

In grey, 0 is outside and

- of two values the other one is inside: 0 and 1, 0 and 255, bits;
- values that all stay below half of the full scale are numbers of classes or objects: inside is all
  that is not 0;
- else the mask is soft: inside is half of the full scale or more.

In colour (RGB, or a palette that is not grey) black is outside, every colour inside, with soft
edges from half of the strongest on. Transparency that varies is the mask, as long as it does not
contradict the colours. Whatever could be read in two ways is refused.
"""

from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import binary_erosion

from twincam.files.errors import UserError
from twincam.images.bit_depth import full_scale

SHADES = 16
"""Distinct values up to which they can stand for classes."""
COLOURS = 256
"""Distinct colours above which a picture is no mask."""


def mask_of(image: Image.Image, file: Path) -> np.ndarray:
    """Return the mask in ``image``, uint8 [H, W]: 255 inside, 0 outside.

    Raises:
        UserError: it could be read in two ways; ``file`` says whose it is.
    """
    if image.has_transparency_data:
        image = image.convert("RGBA")
        alpha = np.asarray(image)[..., 3]
        if alpha.min() < alpha.max():
            return _bytes(_by_transparency(np.asarray(image)[..., :3], alpha, file))
    if image.mode in ("P", "RGB", "RGBA"):
        colours = np.asarray(image.convert("RGB"))
        if (colours != colours[..., :1]).any():
            return _bytes(_by_colour(colours, file))
        if image.mode != "P" or _count(colours) > 1:
            return _bytes(_by_grey(colours[..., 0], file))
    return _bytes(_by_grey(np.asarray(image), file))


def _bytes(inside: np.ndarray) -> np.ndarray:
    return np.where(inside, np.uint8(255), np.uint8(0))


def _by_grey(values: np.ndarray, file: Path) -> np.ndarray:
    """Return, bool [H, W], what is inside by grey ``values``, which may have 8 or 16 bits."""
    found = np.unique(values)
    least, most = float(found[0]), float(found[-1])
    half = (full_scale(most) + 1) / 2
    numbers = least == 0 and most < half and len(found) <= SHADES
    if len(found) == 1 or (least == 0 and len(found) == 2) or numbers:
        return np.asarray(values > 0)
    if not least < half <= most or _has_areas(values):
        shown = ", ".join(map(str, found[:5])) + (", …" if len(found) > 5 else "")
        raise _unclear(file, f"the values {shown}")
    return np.asarray(values >= half)


def _by_colour(colours: np.ndarray, file: Path) -> np.ndarray:
    if colours.any(axis=-1).all():
        raise _unclear(file, "colours without black")
    if _count(colours) > COLOURS:
        raise _unclear(file, f"more than {COLOURS} colours")
    strength = colours.max(axis=-1)
    least = 0 if _has_areas(strength) else strength.max() / 2
    return np.asarray(strength > least)


def _has_areas(values: np.ndarray) -> bool:
    """Return whether few values lie between the least and the largest, and wider than edges are."""
    between = (values > values.min()) & (values < values.max())
    few = len(np.unique(values)) <= SHADES
    return few and bool(binary_erosion(between, np.ones((3, 3))).any())


def _by_transparency(colours: np.ndarray, alpha: np.ndarray, file: Path) -> np.ndarray:
    opaque = _by_grey(alpha, file)
    shown = colours[opaque]
    if 1 < _count(shown) <= COLOURS and not shown.any(axis=-1).all():
        raise _unclear(file, "transparency, and black beside other colours where it is opaque")
    return opaque


def _count(colours: np.ndarray) -> int:
    return len(np.unique(colours.reshape(-1, 3) @ np.array([1 << 16, 1 << 8, 1])))


def _unclear(file: Path, came: str) -> UserError:
    return UserError(
        f"{file}: expected a mask of 0 outside and 255 inside, got {came}, which could mean "
        "several things; save it as grey PNG of 0 and 255"
    )
