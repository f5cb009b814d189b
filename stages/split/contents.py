"""Open every file once: whether it is an image, what it contains and how it looks."""

from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from stages.split.listing import ClassFile
from twincam.determinism import Run
from twincam.engine.images import map_images
from twincam.files.errors import UserError
from twincam.files.folders import is_sidecar, listed
from twincam.images.decoding import BadImageError, check_name, decode, image_id, printable
from twincam.near_duplicates.hashes import perceptual_hash


class Contents(NamedTuple):
    """What the class folders contain.

    Attributes:
        images: a row per usable image: id, path, label, split, sha256, phash (uint64), width,
            height, format, bytes.
        bad: path and reason of each file that should be a usable image but is not.
        sidecars: paths of captions and other files that accompany images.
    """

    images: pd.DataFrame
    bad: list[dict[str, str]]
    sidecars: list[str]


def read_contents(root: Path, files: list[ClassFile], max_pixels: int, run: Run) -> Contents:
    """Decode every file; keep the order of ``files``."""
    usable, bad, sidecars = [], [], []
    outcomes = map_images(partial(_inspect, root, max_pixels), files, run, "split")
    for file, outcome in zip(files, outcomes, strict=True):
        if not isinstance(outcome, str):
            usable.append({"path": file.path, "label": file.label, "split": file.split, **outcome})
        elif is_sidecar(file.path) and not file.error:
            sidecars.append(file.path)
        else:
            bad.append({"path": printable(file.path), "reason": printable(outcome)})
    columns = ["id", "path", "label", "split", *_CONTENT]
    images = pd.DataFrame(usable, columns=columns).astype({"phash": np.uint64})
    return Contents(images, bad, sidecars)


_CONTENT = ("sha256", "phash", "width", "height", "format", "bytes")


def _inspect(root: Path, max_pixels: int, file: ClassFile) -> dict[str, object] | str:
    """Return the image's columns, or why it is not usable."""
    if file.error:
        return file.error
    try:
        check_name(file.path)
        decoded = decode(root / file.path, max_pixels, at_least=128)
    except BadImageError as error:
        return str(error)
    content = {name: getattr(decoded, name) for name in _CONTENT if name != "phash"}
    return {"id": image_id(file.path), "phash": perceptual_hash(decoded.image), **content}


def check_bad(bad: list[dict[str, str]], total: int, max_bad_fraction: float) -> None:
    """Raise UserError if too many of the ``total`` files are bad."""
    if len(bad) <= max_bad_fraction * total:
        return
    first = "; ".join(f"{item['path']}: {item['reason']}" for item in bad[:3])
    raise UserError(
        f"not usable as images: {len(bad)} of {total} files, more than "
        f"data.max_bad_fraction={max_bad_fraction:g} ({first}{'; …' if len(bad) > 3 else ''}); "
        "repair or remove them, or raise data.max_bad_fraction"
    )


def check_classes(images: pd.DataFrame, files: list[ClassFile], sidecars: list[str]) -> None:
    """Raise UserError if a label of ``files`` has no usable image."""
    empty = sorted({file.label for file in files} - set(images["label"]))
    if not empty:
        return
    paths = [file.path for file in files if file.label == empty[0]]
    if set(paths) <= set(sidecars):
        raise UserError(
            f"class {empty[0]!r}: expected images, but its files are not images "
            f"({listed(paths, 1)}); add some or remove its folder"
        )
    raise UserError(f"class {empty[0]!r} has no usable image; add some or remove its folder")


def missing_from_test(images: pd.DataFrame, labels: list[str], splits: list[str]) -> list[str]:
    """Return a warning if a given test split lacks some of ``labels``, which is allowed.

    Args:
        images: columns label and split, of the images that are kept.
        labels: of all classes.
        splits: the given ones.
    """
    present = set(images.loc[images["split"] == "test", "label"])
    missing = [label for label in labels if label not in present]
    if "test" not in splits or not missing:
        return []
    if not present:
        return [
            "test/ has no image in a class folder after skipping bad files and dropping leaks, so "
            "there is no test split; put the images of each class into a folder of its own in "
            "test/, or remove test/"
        ]
    return [
        f"test/ has no usable image of class {listed(missing)}, so the metrics of the test split "
        "cover the other classes only; add some if that is not intended"
    ]
