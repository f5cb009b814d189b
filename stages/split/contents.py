"""Open every file once: is it an image, what is in it, and what does it look like."""

from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from stages.split.listing import Entry
from twincam.files.errors import UserError
from twincam.files.folders import is_sidecar, listed
from twincam.images.decoding import BadImageError, check_name, decode, image_id, printable
from twincam.images.parallel import in_order
from twincam.near_duplicates.hashes import perceptual_hash


class Contents(NamedTuple):
    """What lies in the class folders.

    Attributes:
        images: a row per good image: id, path, label, split, sha256, phash (uint64), width, height,
            format, bytes.
        bad: path and reason of each file that should be an image and is none.
        sidecars: paths of captions and other files that accompany images.
    """

    images: pd.DataFrame
    bad: list[dict[str, str]]
    sidecars: list[str]


def read_contents(root: Path, entries: list[Entry], max_pixels: int) -> Contents:
    """Decode every file; keep the order of ``entries``."""
    good, bad, sidecars = [], [], []
    outcomes = in_order(partial(_inspect, root, max_pixels), entries, "split")
    for entry, outcome in zip(entries, outcomes, strict=True):
        if not isinstance(outcome, str):
            good.append({"path": entry.path, "label": entry.label, "split": entry.split, **outcome})
        elif is_sidecar(entry.path) and not entry.fault:
            sidecars.append(entry.path)
        else:
            bad.append({"path": printable(entry.path), "reason": printable(outcome)})
    columns = ["id", "path", "label", "split", *_CONTENT]
    images = pd.DataFrame(good, columns=columns).astype({"phash": np.uint64})
    return Contents(images, bad, sidecars)


_CONTENT = ("sha256", "phash", "width", "height", "format", "bytes")


def _inspect(root: Path, max_pixels: int, entry: Entry) -> dict[str, object] | str:
    if entry.fault:
        return entry.fault
    try:
        check_name(entry.path)
        found = decode(root / entry.path, max_pixels, at_least=128)
    except BadImageError as error:
        return str(error)
    content = {name: getattr(found, name) for name in _CONTENT if name != "phash"}
    return {"id": image_id(entry.path), "phash": perceptual_hash(found.image), **content}


def check_bad(bad: list[dict[str, str]], total: int, max_bad_fraction: float) -> None:
    """Raise UserError where too large a part of all ``total`` files is bad."""
    if len(bad) <= max_bad_fraction * total:
        return
    first = "; ".join(f"{item['path']}: {item['reason']}" for item in bad[:3])
    raise UserError(
        f"no usable images: {len(bad)} of {total} files, more than "
        f"data.max_bad_fraction={max_bad_fraction:g} ({first}{'; …' if len(bad) > 3 else ''}); "
        "repair or remove them, or raise data.max_bad_fraction"
    )


def check_classes(images: pd.DataFrame, entries: list[Entry], sidecars: list[str]) -> None:
    """Raise UserError where a label of ``entries`` has no good image."""
    empty = sorted({entry.label for entry in entries} - set(images["label"]))
    if not empty:
        return
    files = [entry.path for entry in entries if entry.label == empty[0]]
    if set(files) <= set(sidecars):
        raise UserError(
            f"class {empty[0]!r}: expected images, but its files are not images "
            f"({listed(files, 1)}); add some or remove its folder"
        )
    raise UserError(f"class {empty[0]!r} has no usable image; add some or remove its folder")


def gaps_of_test(images: pd.DataFrame, labels: list[str], splits: list[str]) -> list[str]:
    """Say which of ``labels`` a given test split lacks; it may, but not unnoticed.

    Args:
        images: columns label and split, of the images that stay.
        labels: all of them.
        splits: the given ones.
    """
    there = set(images.loc[images["split"] == "test", "label"])
    absent = [label for label in labels if label not in there]
    if "test" not in splits or not absent:
        return []
    if not there:
        return [
            "test/ has no image in a class folder once bad files and leaks are left out, so there "
            "is no test split; put the images of each class into a folder of its own in test/, or "
            "remove test/"
        ]
    return [
        f"test/ has no usable image of class {listed(absent)}, so the figures of the test split "
        "are of the other classes only; add some if that is not meant"
    ]
