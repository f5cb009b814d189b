"""Find, read and check the maps of an image: masks, parts, and masks of marks."""

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from stages.prepare.masks import mask_of
from twincam.files.errors import UserError
from twincam.files.folders import NOTES, listed, subfolders, visible, walk

_MASK_SYNONYMS = ("groundtruth", "gt", "annotation", "segmentation", "segmentationmask")
"""Other names of masks, without separators and plural s."""


def map_files(folder: Path, paths: list[str]) -> list[Path | None]:
    """Return for each image path the ``.png`` of the same name below ``folder``, if it exists.

    Raises:
        UserError: two images whose paths differ only in the suffix would share a map.
    """
    files = [folder / PurePosixPath(path).with_suffix(".png") for path in paths]
    found = [file if os.path.isfile(file) else None for file in files]
    owners: dict[Path, str] = {}
    for path, file in zip(paths, found, strict=True):
        if file is not None and owners.setdefault(file, path) != path:
            raise UserError(
                f"{file}: expected one image of this name, got {owners[file]!r} and {path!r}; "
                "rename one of the images, and give each its own map"
            )
    return found


def stray_files(folder: Path, paths: list[str], found: Iterable[Path | None]) -> str:
    """Return a warning about files in ``folder`` that belong to no image, "" if there are none.

    Args:
        folder: of one kind of map; may be missing.
        paths: of all images.
        found: the maps that belong to them, as returned by `map_files`.
    """
    if not folder.is_dir():
        return ""
    files = [file for file, _ in walk(folder)]
    stray = sorted(set(files) - set(found))
    if len(stray) == len(files):
        problem = f"no file in {folder} belongs to an image"
    elif stray:
        problem = f"{len(stray)} of {len(files)} files in {folder} belong to no image that is used"
    else:
        return ""
    first = stray[0].name if stray else ""
    names = listed([file.relative_to(folder).as_posix() for file in stray]) or "it is empty"
    alike = next((path for path in paths if _stem(path) == _stem(first)), None)
    if alike is None and len(stray) < len(files):
        return f"{problem}: {names}"
    path = alike or paths[0]
    expected = PurePosixPath(path).with_suffix(".png")
    return f"{problem}: {names}; the map of {path!r} would be {str(expected)!r}"


def _stem(path: str) -> str:
    return PurePosixPath(path).stem.casefold()


def read_mask(file: Path) -> np.ndarray:
    """Read a mask, uint8 [H, W], with `mask_of`: 255 inside, 0 outside.

    Raises:
        UserError: not a PNG image, or an ambiguous one.
    """
    with _opened(file) as image:
        return mask_of(image, file)


def read_parts(file: Path) -> np.ndarray:
    """Read a label map, uint8 [H, W]: the values of a grey image, or indices into a palette.

    Raises:
        UserError: not a PNG image, or not one of 8 bits per pixel.
    """
    with _opened(file) as image:
        if image.mode not in ("L", "P"):
            raise UserError(
                f"{file}: expected a label map of 8 bits per pixel, got mode {image.mode}; save it "
                "as 8-bit grey or palette PNG"
            )
        return np.array(image)


def _opened(file: Path) -> Image.Image:
    try:
        image = Image.open(file, formats=["PNG"])
        image.load()
    except Exception as error:
        raise UserError(
            f"{file}: not a PNG image, or damaged ({error}); replace or remove it"
        ) from None
    return image


def misnamed(info: Path) -> list[str]:
    """Return a warning for each file or folder in ``info`` that looks like maps but is not read.

    These are folders with nearly the name of a kind of map, or another name of masks, and files,
    such as archives, in place of a folder.
    """
    if not info.is_dir():
        return []
    kinds = {kind.rstrip("s"): kind for kind in KINDS} | dict.fromkeys(_MASK_SYNONYMS, "masks")
    folders = subfolders(info)
    named = [
        (name, kinds.get(re.sub(r"[\W_]", "", name.casefold()).rstrip("s"))) for name in folders
    ]
    files = [
        file
        for file in visible(info)
        if file.name not in folders and file.suffix.lower() not in NOTES
    ]
    return [
        *(
            f"{info / name} is not read; rename it to {kind!r}"
            for name, kind in named
            if kind not in (None, name)
        ),
        *(
            f"{file} is not read: expected a folder of PNG images, got a file; put the images into "
            f"{str(info / kind)!r}"
            for file in files
            if (kind := kinds.get(file.name.split(".")[0].casefold().rstrip("s")))
        ),
    ]


def perhaps_inverted(full: int, count: int) -> str:
    """Return a warning if most masks cover more than half of their image, else "".

    Args:
        full: how many masks do.
        count: of all masks.
    """
    if 2 * full <= count:
        return ""
    return (
        f"{full} of {count} masks cover more than half of their image; if they are inverted, save "
        "them with 0 outside and 255 inside"
    )


def check_size(labels: np.ndarray, file: Path, width: int, height: int) -> None:
    """Raise UserError unless ``labels`` has the size of its upright image, width by height."""
    if labels.shape != (height, width):
        raise UserError(
            f"{file}: expected {width}×{height} pixels, the size of its image with EXIF "
            f"orientation applied, got {labels.shape[1]}×{labels.shape[0]}; draw it on the image "
            "as shown"
        )


KINDS: dict[str, Callable[[Path], np.ndarray]] = {
    "masks": read_mask,
    "parts": read_parts,
    "marks": read_mask,
}
"""How each kind of map is read: masks of the evidence, part labels, masks of planted marks."""
