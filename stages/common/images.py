"""Read any image file as upright 8-bit RGB, and bring it to the square that models see.

`decode` then `harmonise` is the whole way from a file to the model's input, for a data set and for
a single image alike. Colour profiles are not applied.
"""

import hashlib
import io
import os
import re
import stat
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
from PIL import Image
from tqdm import tqdm

from stages.common.bit_depth import deep_colour, grey_eight_bits, raw_mode
from stages.common.formats import FORMATS, HEADER, is_preview, why_unreadable

Image.init()  # here, since Pillow loads its plug-ins lazily and not thread-safely
Image.MAX_IMAGE_PIXELS = None  # `decode` has its own limit
warnings.filterwarnings("ignore", module=r"PIL\.")

_ORIENTATION_TAG = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SPECIAL = {
    stat.S_IFIFO: "named pipe",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "device",
    stat.S_IFBLK: "device",
    stat.S_IFDIR: "folder",
}
_UNWRITABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")

T = TypeVar("T")
R = TypeVar("R")


class BadImageError(Exception):
    """A file that cannot be used as an image; its text is the reason, without the path."""


class Decoded(NamedTuple):
    """An image and what its file says of it.

    ``image`` is RGB and upright, and may be smaller than ``width`` by ``height``, the upright size
    in the file. ``format`` is Pillow's name.
    """

    image: Image.Image
    width: int
    height: int
    format: str
    sha256: str
    bytes: int


def image_id(path: str) -> str:
    """Return 12 hex digits that stand for the image at ``path`` (relative, POSIX)."""
    return hashlib.sha256(path.encode("utf-8", "surrogateescape")).hexdigest()[:12]


def printable(text: str) -> str:
    """Show what cannot be written as UTF-8, or would break a line, as escapes."""
    return _UNWRITABLE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def check_name(path: str) -> None:
    """Raise BadImageError where a table cannot hold ``path``."""
    if _UNWRITABLE.search(path):
        raise BadImageError("control characters or bytes that are no UTF-8 in its name")


def decode(path: Path, max_pixels: int | None = None, at_least: int | None = None) -> Decoded:
    """Read the first frame of the image at ``path``.

    Args:
        path: a regular file or a link to one, of any name: the content decides.
        max_pixels: refuse larger images, by their header.
        at_least: allow a JPEG to be decoded at 1/2, 1/4 or 1/8 of its size, while both sides keep
            this many pixels; faster.

    Raises:
        BadImageError: no regular file, unreadable, no image, too large or damaged.
    """
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            raise BadImageError(
                f"not a regular file ({_SPECIAL.get(stat.S_IFMT(mode), 'special')})"
            )
        with path.open("rb") as file:
            return decode_stream(file, max_pixels, at_least)
    except FileNotFoundError:
        raise BadImageError("broken link" if path.is_symlink() else "not found") from None
    except OSError as error:
        raise BadImageError(error.strerror or str(error)) from None


def decode_stream(
    file: io.BufferedReader | io.BytesIO, max_pixels: int | None = None, at_least: int | None = None
) -> Decoded:
    """Read an image from an open, seekable file; as `decode` otherwise."""
    size = file.seek(0, os.SEEK_END)
    if size == 0:
        raise BadImageError("empty file")
    file.seek(0)
    try:
        with Image.open(file, formats=FORMATS) as image:
            if is_preview(image):
                raise BadImageError("camera raw, of which only a preview could be read")
            width, height = image.size
            if max_pixels is not None and width * height > max_pixels:
                raise BadImageError(
                    f"{width}×{height} pixels, more than data.max_pixels={max_pixels}"
                )
            if at_least is not None:
                image.draft(None, (at_least, at_least))
            stored = raw_mode(image)
            image.load()
            orientation = _orientation(image)
            upright = _rgb(image, stored, file)
    except (BadImageError, MemoryError):
        raise
    except Image.UnidentifiedImageError:
        file.seek(0)
        raise BadImageError(why_unreadable(file.read(HEADER))) from None
    except Exception as error:  # a malformed file can make Pillow raise almost anything
        raise BadImageError(f"damaged ({str(error) or type(error).__name__})") from None
    if orientation in _UPRIGHT:
        upright = upright.transpose(_UPRIGHT[orientation])
    if orientation >= 5:
        width, height = height, width
    file.seek(0)
    digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Decoded(upright, width, height, str(image.format), digest, size)


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8, of a loaded image (Pillow turns TIFFs by itself)."""
    try:
        value = image.getexif().get(_ORIENTATION_TAG)
    except Exception:  # malformed EXIF can make Pillow raise almost anything
        return 1
    return value if isinstance(value, int) and value in _UPRIGHT else 1


def _rgb(image: Image.Image, stored: str, file: io.BufferedReader | io.BytesIO) -> Image.Image:
    if image.mode.startswith(("I", "F")):
        image = grey_eight_bits(image, file)
    image = deep_colour(image, stored, file)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def harmonise(image: Image.Image, size: int, crop: bool, jpeg_quality: int) -> np.ndarray:
    """Bring an RGB image to ``size`` pixels square.

    Args:
        image: RGB.
        size: pixels of each side of the result.
        crop: True takes the centre square and re-encodes the result as JPEG, so that all images
            share crop, size and compression; False squashes the whole image and re-encodes nothing.
        jpeg_quality: 1..100, with 4:2:0 subsampling.

    Returns:
        uint8 [size, size, 3].
    """
    square = image.resize(
        (size, size), Image.Resampling.LANCZOS, _region(image, crop), reducing_gap=3.0
    )
    if crop:
        encoded = io.BytesIO()
        square.save(encoded, "JPEG", quality=jpeg_quality, subsampling="4:2:0")
        square = Image.open(encoded)
    return np.asarray(square)


def warp(labels: np.ndarray, size: int, crop: bool) -> np.ndarray:
    """Bring a map of labels, uint8 [H, W], to the place where `harmonise` brings its image.

    Returns:
        uint8 [size, size] by nearest neighbour: no label that ``labels`` does not hold.
    """
    image = Image.fromarray(labels)
    return np.asarray(
        image.resize((size, size), Image.Resampling.NEAREST, box=_region(image, crop))
    )


def _region(image: Image.Image, crop: bool) -> tuple[int, int, int, int]:
    width, height = image.size
    if not crop:
        return 0, 0, width, height
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    return left, top, left + side, top + side


def in_order(function: Callable[[T], R], items: Sequence[T], title: str) -> Iterator[R]:
    """Yield ``function(item)`` for each item in order, computed by a thread per processor.

    Only a few results wait at a time. ``title`` names the progress bar on standard error, which
    shows on a terminal only. Whoever stops iterating, or Ctrl-C, ends the threads.
    """
    workers = os.cpu_count() or 1
    waiting: deque[Future[R]] = deque()
    pool = ThreadPoolExecutor(workers)
    try:
        with tqdm(total=len(items), desc=title, unit="image", disable=None) as bar:
            for position, item in enumerate(items, start=1):
                waiting.append(pool.submit(function, item))
                while len(waiting) >= 4 * workers or (waiting and position == len(items)):
                    yield waiting.popleft().result()
                    bar.update()
    finally:
        pool.shutdown(cancel_futures=True)
