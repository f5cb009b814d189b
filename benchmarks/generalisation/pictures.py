"""The images of the three sets, without copies, and the folds they are judged in."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from PIL import Image
from sklearn.model_selection import StratifiedGroupKFold

from stages.common.images import decode
from stages.common.near_duplicates import near_duplicates, perceptual_hash
from stages.split.groups import components

FOLDS = 3
DISTANCE = 10
FAMILIES = ("ddpm", "sd")
SOURCES = {
    "ddpm": ("cats-ddpm/train/real", "cats-ddpm/val/real"),
    "sd": ("cats-sd/real",),
    "oxford": ("oxford-cats/images",),
}
FAKES = {"ddpm": ("cats-ddpm/train/fake", "cats-ddpm/val/fake"), "sd": ("cats-sd/fake",)}


class Picture(NamedTuple):
    """One image; ``generator`` is empty for a photograph, ``given`` the published split if any."""

    name: str
    source: str
    generator: str
    given: str
    image: Image.Image


class Set(NamedTuple):
    """All images of one source: pictures, generators ``[N]`` (str), folds ``[N]``, -1 for none."""

    pictures: list[Picture]
    generators: np.ndarray
    folds: np.ndarray


def read_pictures(data: Path, source: str) -> tuple[list[Picture], np.ndarray]:
    """Read a source without its copies: of equal files the first stays.

    Returns:
        The pictures, sorted by class and name, and the group of near copies of each ``[N]``.
    """
    pictures: list[Picture] = []
    contents: list[tuple[str, int]] = []
    for fake, folders in enumerate((SOURCES, FAKES)):
        for folder in folders.get(source, ()):
            for path in sorted((data / folder).iterdir()):
                found = decode(path)
                generator = "" if not fake else source if source == "ddpm" else _generator(path)
                given = folder.split("/")[1] if source == "ddpm" else ""
                pictures.append(Picture(path.stem, source, generator, given, found.image))
                contents.append((found.sha256, perceptual_hash(found.image)))
    table = pd.DataFrame(contents, columns=["sha256", "phash"]).astype({"phash": np.uint64})
    first = ~table["sha256"].duplicated().to_numpy()
    pictures = [picture for picture, keep in zip(pictures, first, strict=True) if keep]
    table = table[first].reset_index(drop=True)
    near = near_duplicates(
        table["phash"].to_numpy(), DISTANCE, lambda rows: [pictures[row].image for row in rows]
    )
    return pictures, components(table, near, manifest=False)


def _generator(path: Path) -> str:
    return path.stem.split("_")[0]


def read_set(data: Path, source: str, seed: int) -> Set:
    """Read a source and put its images into `FOLDS` folds, stratified by generator and grouped.

    A source without fakes takes no part in training and has no folds.
    """
    pictures, groups = read_pictures(data, source)
    generators = np.array([picture.generator for picture in pictures])
    folds = np.full(len(pictures), -1)
    if source in FAMILIES:
        split = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
        for number, (_, held) in enumerate(split.split(generators, generators, groups)):
            folds[held] = number
    return Set(pictures, generators, folds)


def fakes_by_generator(generators: Sequence[str] | np.ndarray) -> dict[str, np.ndarray]:
    """Return the positions of each generator's images."""
    names = np.asarray(generators)
    return {name: np.flatnonzero(names == name) for name in sorted(set(names) - {""})}
