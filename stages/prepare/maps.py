"""Masks, part maps and masks of marks: find, read and check them."""

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from stages.prepare.masks import mask_of
from twincam.files.errors import UserError
from twincam.files.folders import listed, subfolders, visible, walk

_MASKS_TOO = ("groundtruth", "gt", "annotation", "segmentation", "segmentationmask")
"""Other words for masks, without what separates their parts and without a plural's s."""


def map_files(folder: Path, paths: list[str]) -> list[Path | None]:
    """Return for each image path the ``.png`` of the same name below ``folder``, if there.

    Raises:
        UserError: two images differ in nothing but their ending and so share a map.
    """
    files = [folder / PurePosixPath(path).with_suffix(".png") for path in paths]
    found = [file if os.path.isfile(file) else None for file in files]
    owners: dict[Path, str] = {}
    for path, file in zip(paths, found, strict=True):
        if file is not None and owners.setdefault(file, path) != path:
            raise UserError(
                f"{file}: expected to belong to one image, got {owners[file]!r} and {path!r}; "
                "rename one of the images, and give each its own map"
            )
    return found


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


_TABLES = {".csv", ".json", ".md", ".txt", ".xml", ".yaml"}


def misnamed(info: Path) -> list[str]:
    """Return a line for all in ``info`` that looks like a kind of map but is not read as one.

    That is a folder whose name is nearly that of a kind or another word for masks, and a file,
    say an archive, in place of a folder.
    """
    if not info.is_dir():
        return []
    kinds = {kind.rstrip("s"): kind for kind in KINDS} | dict.fromkeys(_MASKS_TOO, "masks")
    folders = subfolders(info)
    named = [
        (name, kinds.get(re.sub(r"[\W_]", "", name.casefold()).rstrip("s"))) for name in folders
    ]
    files = [
        file
        for file in visible(info)
        if file.name not in folders and file.suffix.lower() not in _TABLES
    ]
    return [
        *(
            f"{info / name} is not read; rename it to {kind!r}"
            for name, kind in named
            if kind not in (None, name)
        ),
        *(
            f"{file} is not read: expected a folder of PNG images, got a file; put them into "
            f"{str(info / kind)!r}"
            for file in files
            if (kind := kinds.get(file.name.split(".")[0].casefold().rstrip("s")))
        ),
    ]


def perhaps_inverted(full: int, count: int) -> str:
    """Return a line if most of ``count`` masks, namely ``full``, cover more than half, else ""."""
    if 2 * full <= count:
        return ""
    return (
        f"{full} of {count} masks have more than half of their image inside; if they are inverted, "
        "save them anew with 0 outside"
    )


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
