"""Masks, part maps and masks of marks: find, read and check them."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from stages.common.errors import UserError
from stages.common.folders import listed, subfolders, walk
from stages.prepare.masks import mask_of


def map_files(folder: Path, paths: list[str]) -> list[Path | None]:
    """Return for each image path the ``.png`` of the same name below ``folder``, if there."""
    files = [folder / PurePosixPath(path).with_suffix(".png") for path in paths]
    return [file if os.path.isfile(file) else None for file in files]


def stray_files(folder: Path, paths: list[str], found: Iterable[Path | None]) -> str:
    """Return a line on the files in ``folder`` that belong to no image, "" if there are none.

    Args:
        folder: of one kind of map; may be missing.
        paths: of all images.
        found: the maps that belong to them, as `map_files` returns them.
    """
    if not folder.is_dir():
        return ""
    files = [file for file, _ in walk(folder)]
    stray = sorted(set(files) - set(found))
    if len(stray) == len(files):
        said = f"no file in {folder} belongs to an image"
    elif stray:
        said = f"{len(stray)} of {len(files)} files in {folder} belong to no image"
    else:
        return ""
    first = stray[0].name if stray else ""
    path = next((path for path in paths if _stem(path) == _stem(first)), paths[0])
    names = listed([file.relative_to(folder).as_posix() for file in stray]) or "it is empty"
    expected = PurePosixPath(path).with_suffix(".png")
    return f"{said}: {names}; for the image {path!r} it would be {str(expected)!r}"


def _stem(path: str) -> str:
    return PurePosixPath(path).stem.casefold()


def read_mask(file: Path) -> np.ndarray:
    """Read a mask, uint8 [H, W], as `mask_of`: 255 inside, 0 outside.

    Raises:
        UserError: no image, or one that could be read in two ways.
    """
    with _opened(file) as image:
        return mask_of(image, file)


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


def misnamed(info: Path) -> list[str]:
    """Return a line for each folder in ``info`` whose name is nearly that of a kind of map."""
    kinds = {kind.rstrip("s"): kind for kind in KINDS}
    names = subfolders(info) if info.is_dir() else []
    found = [(name, kinds.get(name.casefold().rstrip("s"))) for name in names]
    return [
        f"{info / name} is not read; rename it to {kind!r}"
        for name, kind in found
        if kind not in (None, name)
    ]


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
