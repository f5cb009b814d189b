"""Read a mask, which marks a region of an image, in any usual encoding.

In a grey image 0 is outside, and

- with two values, such as 0 and 1 or 0 and 255, the other value is inside;
- with values all below half of the full scale, these number classes or objects, and everything but
  0 is inside;
- otherwise the mask is soft, and half of the full scale or more is inside.

In a colour image (RGB, or a palette that is not grey) black is outside and every colour inside; at
soft edges, from half of the maximum on. Transparency that varies is the mask, unless it contradicts
the colours. Ambiguous images are refused.
"""

from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import binary_erosion

from twincam.files.errors import UserError
from twincam.images.bit_depth import full_scale

SHADES = 16
"""At most this many distinct values can number classes."""
COLOURS = 256
"""An image with more distinct colours is not a mask."""


def mask_of(image: Image.Image, file: Path) -> np.ndarray:
    """Return the mask in ``image``, uint8 [H, W]: 255 inside, 0 outside.

    Raises:
        UserError: the image is ambiguous; the message names ``file``.
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
    """Return, bool [H, W], what is inside according to grey ``values`` of 8 or 16 bits."""
    found = np.unique(values)
    low, high = float(found[0]), float(found[-1])
    half = (full_scale(high) + 1) / 2
    numbers = low == 0 and high < half and len(found) <= SHADES
    if len(found) == 1 or (low == 0 and len(found) == 2) or numbers:
        return np.asarray(values > 0)
    if not low < half <= high or _has_areas(values):
        shown = ", ".join(map(str, found[:5])) + (", …" if len(found) > 5 else "")
        raise _ambiguous(file, f"the values {shown}")
    return np.asarray(values >= half)


def _by_colour(colours: np.ndarray, file: Path) -> np.ndarray:
    if colours.any(axis=-1).all():
        raise _ambiguous(file, "colours without black")
    if _count(colours) > COLOURS:
        raise _ambiguous(file, f"more than {COLOURS} colours")
    intensity = colours.max(axis=-1)
    threshold = 0 if _has_areas(intensity) else intensity.max() / 2
    return np.asarray(intensity > threshold)


def _has_areas(values: np.ndarray) -> bool:
    """Return whether values are few and the intermediate ones form areas, not only soft edges."""
    between = (values > values.min()) & (values < values.max())
    few = len(np.unique(values)) <= SHADES
    return few and bool(binary_erosion(between, np.ones((3, 3))).any())


def _by_transparency(colours: np.ndarray, alpha: np.ndarray, file: Path) -> np.ndarray:
    opaque = _by_grey(alpha, file)
    shown = colours[opaque]
    if 1 < _count(shown) <= COLOURS and not shown.any(axis=-1).all():
        raise _ambiguous(file, "transparency, and black next to other colours where it is opaque")
    return opaque


def _count(colours: np.ndarray) -> int:
    return len(np.unique(colours.reshape(-1, 3) @ np.array([1 << 16, 1 << 8, 1])))


def _ambiguous(file: Path, found: str) -> UserError:
    return UserError(
        f"{file}: expected a mask with 0 outside and 255 inside, got {found}, which is ambiguous; "
        "save it as grey PNG of 0 and 255"
    )
