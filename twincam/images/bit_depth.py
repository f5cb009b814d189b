"""Convert images with more than 8 bits per channel to 8, according to the full scale they use.

Scanners, X-ray and depth cameras store 10, 12 or 14 bits in 16, so scaling by the container's
maximum would leave them nearly black.
"""

import io
import struct

import numpy as np
from PIL import Image, ImageFile

DEPTHS = (8, 10, 12, 14, 16)

FULL_SCALES = tuple(2.0**bits - 1 for bits in DEPTHS)

UNDERSHOOT = 1 / 16
"""Share of the peak; values less far below 0 are undershoot."""

OVERSHOOT = 1 + 1 / 64
"""Times a full scale; a peak between the full scale and this is overshoot."""

MIN_RANGE = 1 / 4
"""Share of a full scale; a float image with a smaller range does not use that scale."""

SENTINEL = 999
"""From here on, values conventionally mark missing data: -999, -9999, 1e20, ±3.4e38."""

CONTAINER_MAXIMA = tuple(2.0**bits - 1 for bits in (15, 16, 31, 32))

SHADES = 16
"""With at most this many distinct values besides a plateau, an image may be a drawing."""

_BITS, _PHOTOMETRIC, _MAX_SAMPLE, _SAMPLE_FORMAT, _S_MAX_SAMPLE = 258, 262, 281, 339, 341

_OTHER_BYTES = {
    "RGB;16B": "RGB;16L",
    "RGB;16L": "RGB;16B",
    "RGB;16N": "RGB;16B" if np.little_endian else "RGB;16L",
    "RGBA;16B": "RGBA;16L",
    "RGBA;16L": "RGBA;16B",
    "RGBA;16N": "RGBA;16B" if np.little_endian else "RGBA;16L",
    "LA;16B": "RGBA",
}
"""Pillow keeps one byte of each 16-bit sample; in this raw mode it keeps the other byte."""


def grey_to_8_bits(image: Image.Image, file: io.BufferedReader | io.BytesIO) -> Image.Image:
    """Convert a loaded grey image of more than 8 bits to 8, with black as 0.

    Args:
        image: in a mode of Pillow that begins with I or F.
        file: the file it was read from.
    """
    values = np.asarray(image)
    tags = image.tag_v2 if image.format == "TIFF" else {}  # type: ignore[attr-defined]
    if (
        values.dtype == np.int32
        and tags.get(_BITS) == (32,)
        and tags.get(_SAMPLE_FORMAT, (1,))[0] == 1
    ):
        values = values.view(np.uint32)
    grey = to_8_bits(values, stated_full_scale(image, file, values))
    white_is_zero = tags.get(_PHOTOMETRIC) == 0
    return Image.fromarray(255 - grey if white_is_zero else grey)


def to_8_bits(values: np.ndarray, stated: float = 0) -> np.ndarray:
    """Scale to 0..255 by the smallest usual full scale that is not below the peak.

    Usual are 8, 10, 12, 14 and 16 bits, for floats also 1; the peak may exceed it slightly. Above
    all of them the peak itself is the full scale. Floats that would use less than a quarter of it
    are scaled from their minimum to their maximum. A few dead or hot pixels in ten thousand are
    ignored and clipped, and so is a plateau that marks missing data. Black is 0, or the minimum if
    values are clearly negative. NaN becomes black, infinity white.

    Args:
        values: integers or floats of any shape.
        stated: the full scale stated in the file, 0 if none; it is used unless the peak exceeds it.

    Returns:
        uint8 of the same shape.
    """
    low, peak = _value_range(values)
    black = low if low < -UNDERSHOOT * peak else 0.0
    span = peak - black
    if stated > 0 and span <= stated * OVERSHOOT:
        full = stated
    elif np.issubdtype(values.dtype, np.floating):
        full = 1.0 if span <= OVERSHOOT else full_scale(span, OVERSHOOT)
        if 0 < peak - low < MIN_RANGE * full:
            black, full = low, peak - low
    else:
        full = full_scale(span, OVERSHOOT)
    exact: np.ndarray = values.astype("f4" if values.dtype.itemsize <= 2 else "f8")
    exact[np.isnan(exact)] = 0
    return np.asarray(((exact - black) * (255 / full)).clip(0, 255).round().astype(np.uint8))


def _value_range(values: np.ndarray) -> tuple[float, float]:
    """Return the minimum and maximum, ignoring a few pixels and missing data.

    Missing data is a plateau at either end, at a value that marks it by convention or is the
    container's maximum, more than twice as far from 0 as all other values, of which there are many.
    """
    known = values[np.isfinite(values)]
    low, peak = _trimmed_range(known)
    marks_low = low <= -SENTINEL
    floating = np.issubdtype(values.dtype, np.floating)
    marks_high = peak >= SENTINEL if floating else peak in CONTAINER_MAXIMA
    if not marks_low and not marks_high:
        return low, peak
    rest = known[known > low] if marks_low else known
    rest = rest[rest < peak] if marks_high else rest
    if 4 * rest.size < known.size or len(np.unique(rest)) <= SHADES:
        return low, peak
    inner = _trimmed_range(rest)
    reach = 2 * max(map(abs, inner))
    return (
        inner[0] if marks_low and -low > reach else low,
        inner[1] if marks_high and peak > reach else peak,
    )


def _trimmed_range(values: np.ndarray) -> tuple[float, float]:
    """Return the minimum and maximum, ignoring a few pixels; 0 and 0 without ``values``."""
    if not values.size:
        return 0.0, 0.0
    aside = min(1 + values.size // 10_000, values.size // 100)
    last = values.size - 1 - aside
    ordered = np.partition(values, (aside, last), axis=None)
    return float(ordered[aside]), float(ordered[last])


def full_scale(peak: float, over: float = 1) -> float:
    """Return the smallest usual full scale of integers that, times ``over``, reaches ``peak``.

    Above 16 bits that is ``peak`` itself.
    """
    return next((scale for scale in FULL_SCALES if peak <= scale * over), peak)


def stated_full_scale(
    image: Image.Image, file: io.BufferedReader | io.BytesIO, values: np.ndarray
) -> float:
    """Return the full scale of ``values`` that the file of ``image`` states, 0 if it does not.

    PNG's sBIT chunk gives the number of significant bits: the lower ones if the values fit in them,
    otherwise, as in the standard, the upper ones of 16. TIFF gives its bits per sample if they are
    fewer than 16, or its largest sample value.
    """
    if image.format == "PNG" and (bits := _significant_bits(file)):
        return 2.0**bits - 1 if _value_range(values)[1] < 2**bits * OVERSHOOT else FULL_SCALES[-1]
    if image.format != "TIFF":
        return 0
    tags = image.tag_v2  # type: ignore[attr-defined]
    bits = tags.get(_BITS, (16,))[0]
    named = [tags[tag] for tag in (_MAX_SAMPLE, _S_MAX_SAMPLE) if tag in tags]
    largest = max(float(np.max(value)) for value in [2.0**bits - 1 if bits < 16 else 0, *named])
    return largest if image.mode == "F" or largest == 0 else full_scale(largest)


def _significant_bits(file: io.BufferedReader | io.BytesIO) -> int:
    """Return the largest entry of a PNG's sBIT chunk, 0 if it has none."""
    file.seek(8)
    while len(head := file.read(8)) == 8:
        length, name = struct.unpack(">I4s", head)
        if name == b"sBIT":
            return max(file.read(min(length, 4)), default=0)
        if name in (b"IDAT", b"IEND"):
            break
        file.seek(length + 4, io.SEEK_CUR)
    return 0


def raw_mode(image: ImageFile.ImageFile) -> str:
    """Return Pillow's raw mode, the layout of samples in the file, of an image not loaded yet."""
    args = image.tile[0].args if image.tile else ""
    return str(args[0] if isinstance(args, tuple) else args)


def colour_to_8_bits(
    image: Image.Image, stored: str, file: io.BufferedReader | io.BytesIO
) -> Image.Image:
    """Return a loaded colour image in 8 bits, converted again if it uses less than 16 bits of 16.

    Args:
        image: as loaded by Pillow, which keeps the upper byte of each sample.
        stored: its `raw_mode`.
        file: the file it was read from.
    """
    if stored not in _OTHER_BYTES or "transparency" in image.info:
        return image
    upper = np.asarray(image)
    colours = upper[..., :3]
    if _trimmed_range(colours[colours < 255])[1] > 64:
        return image
    file.seek(0)
    with Image.open(file, formats=[str(image.format)]) as again:
        other = _OTHER_BYTES[stored]
        again.tile = [
            tile._replace(args=(other, *tile.args[1:]) if isinstance(tile.args, tuple) else other)
            for tile in again.tile
        ]
        lower = np.asarray(again)
    lower = lower[..., 1:2] if stored == "LA;16B" else lower[..., :3]
    values = upper[..., :3].astype(np.uint16) << 8 | lower
    colour = to_8_bits(values, stated_full_scale(image, file, values))
    return Image.fromarray(np.concatenate([colour, upper[..., 3:]], axis=-1))
