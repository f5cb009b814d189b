"""One row of the arrays: an image with its maps, each brought to the same square."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from stages.prepare.maps import KINDS, check_size, map_files
from twincam.files.errors import UserError
from twincam.images.decoding import BadImageError
from twincam.images.harmonising import warp
from twincam.images.params import Prepare
from twincam.images.reading import read_image


class Job(NamedTuple):
    """An image of split.csv and the file of each kind of map, if any."""

    path: str
    sha256: str
    width: int
    height: int
    maps: Mapping[str, Path | None]


class Square(NamedTuple):
    """uint8 [size, size, 3] RGB; uint8 [size, size] of each kind of map, zero without a file."""

    image: np.ndarray
    maps: Mapping[str, np.ndarray]


def list_jobs(split: pd.DataFrame, info: Path) -> list[Job]:
    """Return a job per row of ``split`` with the maps found in ``info``."""
    paths = split["path"].tolist()
    columns = [split[name].tolist() for name in ("path", "sha256", "width", "height")]
    files = {kind: map_files(info / kind, paths) for kind in KINDS}
    maps = [{kind: found[row] for kind, found in files.items()} for row in range(len(paths))]
    return [Job(*row) for row in zip(*columns, maps, strict=True)]


def make_square(root: Path, settings: Prepare, job: Job) -> Square:
    """Read, check and warp everything of one image.

    Raises:
        UserError: the image is not the one of split.csv any more, or a map does not fit it.
    """
    size, crop = settings.image_size, settings.harmonise
    try:
        found, image = read_image(root / job.path, settings)
    except BadImageError as error:
        raise UserError(_changed(root, job, str(error))) from None
    if found.sha256 != job.sha256:
        raise UserError(_changed(root, job, "other content"))
    maps = dict.fromkeys(KINDS, np.zeros((size, size), np.uint8))
    for kind, file in job.maps.items():
        if file:
            labels = KINDS[kind](file)
            check_size(labels, file, job.width, job.height)
            maps[kind] = warp(labels, size, crop)
    return Square(image, maps)


def _changed(root: Path, job: Job, reason: str) -> str:
    return (
        f"{root / job.path}: changed since it was split ({reason}); run `dvc repro` to split anew"
    )
