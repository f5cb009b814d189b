"""Read any image file as upright 8-bit RGB.

`decode`, then `harmonise`, turns a file into a model's input, for a data set as for a single image.
Colour profiles are not applied.
"""

import hashlib
import io
import os
import re
import stat
import warnings
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from twincam.files.errors import UserError
from twincam.images.bit_depth import colour_to_8_bits, grey_to_8_bits, raw_mode
from twincam.images.formats import FORMATS, HEADER, is_preview, why_unreadable

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

_REORDERING = re.compile("[\u202a-\u202e\u2066-\u2069]")
"""Marks that show the text after them in another order: ``gnp.exe`` as ``exe.png``."""


class BadImageError(Exception):
    """A file that cannot be used as an image; the message is the reason, without the path."""


def changed_since_split(path: Path, reason: str) -> UserError:
    """Return the error that the image at ``path`` is not the one in split.csv any more."""
    return UserError(f"{path}: changed since the stage split ran ({reason}); run `dvc repro`")


class Decoded(NamedTuple):
    """An image and the properties of its file.

    ``image`` is RGB and upright; it may be smaller than ``width`` by ``height``, the upright size
    in the file. ``format`` is Pillow's name of the format.
    """

    image: Image.Image
    width: int
    height: int
    format: str
    sha256: str
    bytes: int


def image_id(path: str) -> str:
    """Return 12 hexadecimal digits that identify the image at ``path`` (relative, POSIX)."""
    return hashlib.sha256(path.encode("utf-8", "surrogateescape")).hexdigest()[:12]


def printable(text: str) -> str:
    """Escape characters that cannot be written as UTF-8, control characters and bidi overrides."""
    for pattern in (_UNWRITABLE, _REORDERING):
        text = pattern.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
    return text


def check_name(path: str) -> None:
    """Raise BadImageError if ``path`` cannot be stored in a table."""
    if _UNWRITABLE.search(path):
        raise BadImageError("control characters, or bytes that are not UTF-8, in its name")


def decode(path: Path, max_pixels: int | None = None, at_least: int | None = None) -> Decoded:
    """Read the first frame of the image at ``path``.

    Args:
        path: a regular file or a link to one; its name does not matter, only its content.
        max_pixels: refuse images whose header states more.
        at_least: allow a JPEG to be decoded at 1/2, 1/4 or 1/8 of its size, as long as both sides
            keep this many pixels, which is faster.

    Raises:
        BadImageError: not a regular file, unreadable, not an image, too large or damaged.
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
    """Read an image from an open, seekable file, as `decode` does."""
    size = file.seek(0, os.SEEK_END)
    if size == 0:
        raise BadImageError("empty file")
    file.seek(0)
    try:
        with Image.open(file, formats=FORMATS) as image:
            if is_preview(image):
                raise BadImageError("camera raw, of which only the preview could be read")
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


def to_rgb(image: Image.Image) -> Image.Image:
    """Return an image in memory as upright 8-bit RGB, as `decode` does with a file.

    Raises:
        BadImageError: it cannot be loaded.
    """
    if image.mode.startswith(("I", "F")):
        file = io.BytesIO()
        image.save(file, "TIFF")
        return decode_stream(file).image
    try:
        image.load()
        upright = _opaque(image)
    except Exception as error:  # a malformed file can make Pillow raise almost anything
        raise BadImageError(f"damaged ({str(error) or type(error).__name__})") from None
    orientation = _orientation(image)
    return upright.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else upright


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8, of a loaded image (Pillow rotates TIFFs itself)."""
    try:
        value = image.getexif().get(_ORIENTATION_TAG)
    except Exception:  # malformed EXIF can make Pillow raise almost anything
        return 1
    return value if isinstance(value, int) and value in _UPRIGHT else 1


def _rgb(image: Image.Image, stored: str, file: io.BufferedReader | io.BytesIO) -> Image.Image:
    if image.mode.startswith(("I", "F")):
        image = grey_to_8_bits(image, file)
    return _opaque(colour_to_8_bits(image, stored, file))


def _opaque(image: Image.Image) -> Image.Image:
    """Return an 8-bit image as RGB, on white where it is transparent."""
    if image.has_transparency_data:
        image = image if image.mode == "RGBA" else image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")
