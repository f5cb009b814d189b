"""Bring images of more than 8 bits a channel to 8, by the full scale that they use.

Scanners, X-ray and depth cameras store 10, 12 or 14 bits in 16, so the container's full scale
would leave them nearly black.
"""

import io
import struct

import numpy as np
from PIL import Image, ImageFile

DEPTHS = (8, 10, 12, 14, 16)

FULL_SCALES = tuple(2.0**bits - 1 for bits in DEPTHS)

SLIGHT = 1 / 16
"""Of the peak: what is less far below 0 is undershoot."""

OVER = 1 + 1 / 64
"""Times a full scale: a peak up to here is overshoot."""

USED = 1 / 4
"""Of a usual full scale: a float image whose values range less far is no image of that scale."""

SENTINEL = 999
"""Where no data begins, by custom: -999, -9999, 1e20, ±3.4e38."""

CONTAINER_MAXIMA = tuple(2.0**bits - 1 for bits in (15, 16, 31, 32))

SHADES = 16
"""Distinct values up to which what lies beside a plateau may be a drawing."""

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
"""Pillow keeps one byte of each 16-bit colour; read in this raw mode it keeps the other one."""


def grey_eight_bits(image: Image.Image, file: io.BufferedReader | io.BytesIO) -> Image.Image:
    """Return a loaded grey image of more than 8 bits as one of 8, black dark and white bright.

    Args:
        image: of a mode of Pillow's that begins with I or F.
        file: that it was read from.
    """
    values = np.asarray(image)
    tags = image.tag_v2 if image.format == "TIFF" else {}  # type: ignore[attr-defined]
    if (
        values.dtype == np.int32
        and tags.get(_BITS) == (32,)
        and tags.get(_SAMPLE_FORMAT, (1,))[0] == 1
    ):
        values = values.view(np.uint32)
    grey = eight_bits(values, stated_full_scale(image, file, values))
    white_is_zero = tags.get(_PHOTOMETRIC) == 0
    return Image.fromarray(255 - grey if white_is_zero else grey)


def eight_bits(values: np.ndarray, stated: float = 0) -> np.ndarray:
    """Scale to 0..255 by the least usual full scale that holds the peak.

    Usual are 8, 10, 12, 14 and 16 bits, for floats 1 too; a peak slightly above counts as held.
    Above all of them the peak itself is the full scale. Floats that would use less than a quarter
    of it span 0..255 from their least to their largest value. A few pixels in ten thousand, dead
    or hot, do not count and are clipped, and so is a plateau that stands for no data. Black is 0,
    or the least value where values reach clearly below 0. NaN counts as 0, infinity as white.

    Args:
        values: integers or floats of any shape.
        stated: the full scale that the file names; wins where it holds the peak. 0: none.

    Returns:
        uint8 of the same shape.
    """
    low, peak = _ends(values)
    black = low if low < -SLIGHT * peak else 0.0
    span = peak - black
    if stated > 0 and span <= stated * OVER:
        full = stated
    elif np.issubdtype(values.dtype, np.floating):
        full = 1.0 if span <= OVER else full_scale(span, OVER)
        if 0 < peak - low < USED * full:
            black, full = low, peak - low
    else:
        full = full_scale(span, OVER)
    exact: np.ndarray = values.astype("f4" if values.dtype.itemsize <= 2 else "f8")
    exact[np.isnan(exact)] = 0
    return np.asarray(((exact - black) * (255 / full)).clip(0, 255).round().astype(np.uint8))


def _ends(values: np.ndarray) -> tuple[float, float]:
    """Return the least and the largest value but for a few pixels and for what means no data.

    No data is a plateau at either end, at a value by which custom or the container marks it, more
    than twice as far from 0 as all else, beside a picture of many values.
    """
    known = values[np.isfinite(values)]
    low, peak = _most(known)
    marks_low = low <= -SENTINEL
    floating = np.issubdtype(values.dtype, np.floating)
    marks_high = peak >= SENTINEL if floating else peak in CONTAINER_MAXIMA
    if not marks_low and not marks_high:
        return low, peak
    rest = known[known > low] if marks_low else known
    rest = rest[rest < peak] if marks_high else rest
    if 4 * rest.size < known.size or len(np.unique(rest)) <= SHADES:
        return low, peak
    inner = _most(rest)
    reach = 2 * max(map(abs, inner))
    return (
        inner[0] if marks_low and -low > reach else low,
        inner[1] if marks_high and peak > reach else peak,
    )


def _most(values: np.ndarray) -> tuple[float, float]:
    """Return the least and the largest value but for a few pixels, 0 and 0 of none."""
    if not values.size:
        return 0.0, 0.0
    aside = min(1 + values.size // 10_000, values.size // 100)
    last = values.size - 1 - aside
    ordered = np.partition(values, (aside, last), axis=None)
    return float(ordered[aside]), float(ordered[last])


def full_scale(peak: float, over: float = 1) -> float:
    """Return the least usual full scale of integers that, times ``over``, holds ``peak``.

    Above 16 bits that is ``peak`` itself.
    """
    return next((scale for scale in FULL_SCALES if peak <= scale * over), peak)


def stated_full_scale(
    image: Image.Image, file: io.BufferedReader | io.BytesIO, values: np.ndarray
) -> float:
    """Return the full scale of ``values`` that the file of ``image`` names, 0 where it does not.

    PNG's sBIT tells how many bits are significant: the lower ones where the values fit in them,
    else, as the standard has it, the upper ones of 16. TIFF tells its bits a sample where these are
    fewer than 16, or its largest sample.
    """
    if image.format == "PNG" and (bits := _significant_bits(file)):
        return 2.0**bits - 1 if _ends(values)[1] < 2**bits * OVER else FULL_SCALES[-1]
    if image.format != "TIFF":
        return 0
    tags = image.tag_v2  # type: ignore[attr-defined]
    bits = tags.get(_BITS, (16,))[0]
    named = [tags[tag] for tag in (_MAX_SAMPLE, _S_MAX_SAMPLE) if tag in tags]
    largest = max(float(np.max(value)) for value in [2.0**bits - 1 if bits < 16 else 0, *named])
    return largest if image.mode == "F" or largest == 0 else full_scale(largest)


def _significant_bits(file: io.BufferedReader | io.BytesIO) -> int:
    """Return the largest entry of a PNG's sBIT, 0 where it has none."""
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
    """Return Pillow's name of how samples lie in the file of an image that is not loaded yet."""
    args = image.tile[0].args if image.tile else ""
    return str(args[0] if isinstance(args, tuple) else args)


def deep_colour(
    image: Image.Image, stored: str, file: io.BufferedReader | io.BytesIO
) -> Image.Image:
    """Return a loaded colour image, brought to 8 bits anew where it uses less than 16 of 16.

    Args:
        image: as Pillow loads it, which keeps the upper byte of each sample.
        stored: its `raw_mode`.
        file: that it was read from.
    """
    if stored not in _OTHER_BYTES or "transparency" in image.info:
        return image
    upper = np.asarray(image)
    colours = upper[..., :3]
    if _most(colours[colours < 255])[1] > 64:
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
    colour = eight_bits(values, stated_full_scale(image, file, values))
    return Image.fromarray(np.concatenate([colour, upper[..., 3:]], axis=-1))
