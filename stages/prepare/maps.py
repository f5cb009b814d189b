"""Masks, part maps and masks of marks: find, read and check them."""

import os
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from stages.common.errors import UserError


def map_files(folder: Path, paths: list[str]) -> list[Path | None]:
    """Return for each image path the ``.png`` of the same name below ``folder``, if there."""
    files = [folder / PurePosixPath(path).with_suffix(".png") for path in paths]
    return [file if os.path.isfile(file) else None for file in files]


def read_mask(file: Path) -> np.ndarray:
    """Read a mask, uint8 [H, W]: 255 where the file is 128 or brighter, else 0.

    Raises:
        UserError: no image.
    """
    with _opened(file) as image:
        sixteen = image.mode.startswith("I")
        grey = np.asarray(image) >> 8 if sixteen else np.asarray(image.convert("L"))
    return np.where(grey >= 128, np.uint8(255), np.uint8(0))


def read_parts(file: Path) -> np.ndarray:
    """Read a label map, uint8 [H, W]: the values of a grey image, the indices of a palette's.

    Raises:
        UserError: no image, or not one of 8 bits a pixel.
    """
    with _opened(file) as image:
        if image.mode not in ("L", "P"):
            raise UserError(
                f"{file}: expected a label map of 8 bits a pixel, got mode {image.mode}; save it "
                "as 8-bit grey or palette PNG"
            )
        return np.array(image)


def _opened(file: Path) -> Image.Image:
    try:
        image = Image.open(file, formats=["PNG"])
        image.load()
    except Exception as error:
        raise UserError(
            f"{file}: no PNG image or damaged ({error}); replace or remove it"
        ) from None
    return image


def check_size(labels: np.ndarray, file: Path, width: int, height: int) -> None:
    """Raise UserError unless ``labels`` is as large as its image is shown, width by height."""
    if labels.shape != (height, width):
        raise UserError(
            f"{file}: is {labels.shape[1]}×{labels.shape[0]} pixels, but its image is shown at "
            f"{width}×{height}; draw it on the image as shown (EXIF orientation applied)"
        )


KINDS: dict[str, Callable[[Path], np.ndarray]] = {
    "masks": read_mask,
    "parts": read_parts,
    "marks": read_mask,
}
"""How each kind of map is read: where the truth lies, what is shown where, where a mark that is no
part of what is shown lies."""
