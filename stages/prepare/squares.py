"""One row of the arrays: an image and its maps, cropped and resized to the same square."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from stages.prepare.maps import KINDS, check_size, map_files
from twincam.images.decoding import BadImageError, changed_since_split
from twincam.images.harmonising import warp
from twincam.images.params import Prepare
from twincam.images.reading import read_image


class Job(NamedTuple):
    """A row of split.csv and the file of each kind of map, None if there is none."""

    path: str
    sha256: str
    width: int
    height: int
    maps: Mapping[str, Path | None]


class Square(NamedTuple):
    """An image, uint8 [size, size, 3] RGB, and its maps by kind, uint8 [size, size].

    A map without a file is all 0.
    """

    image: np.ndarray
    maps: Mapping[str, np.ndarray]


def list_jobs(split: pd.DataFrame, info: Path) -> list[Job]:
    """Return a job for each row of ``split``, with the maps found in ``info``."""
    paths = split["path"].tolist()
    columns = [split[name].tolist() for name in ("path", "sha256", "width", "height")]
    files = {kind: map_files(info / kind, paths) for kind in KINDS}
    maps = [{kind: found[row] for kind, found in files.items()} for row in range(len(paths))]
    return [Job(*row) for row in zip(*columns, maps, strict=True)]


def make_square(root: Path, settings: Prepare, job: Job) -> Square:
    """Read and check an image and its maps, and turn them into squares.

    Raises:
        UserError: the image is no longer the one in split.csv, or a map does not fit it.
    """
    size, crop = settings.image_size, settings.harmonise
    try:
        found, image = read_image(root / job.path, settings)
    except BadImageError as error:
        raise changed_since_split(root / job.path, str(error)) from None
    if found.sha256 != job.sha256:
        raise changed_since_split(root / job.path, "different content")
    maps = dict.fromkeys(KINDS, np.zeros((size, size), np.uint8))
    for kind, file in job.maps.items():
        if file:
            labels = KINDS[kind](file)
            check_size(labels, file, job.width, job.height)
            maps[kind] = warp(labels, size, crop)
    return Square(image, maps)
