"""Describe the views of image files, for training and for scoring."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from stages.forensics.remakes import REMAKES, Networks, remake
from twincam.deliveries import LONGEST
from twincam.determinism import generator
from twincam.files.errors import UserError
from twincam.forensics.detail import describe
from twincam.forensics.scoring import scoring_views
from twincam.forensics.views import TRAINING, cut_patch, finish, scaled
from twincam.images.decoding import BadImageError, decode
from twincam.images.parallel import in_order

TRAINING_VIEWS = ("", "", *REMAKES)
"""The training views of a photograph: "" is the unmodified photograph."""


class Source(NamedTuple):
    """An image file, and the id that seeds its training views."""

    id: str
    file: Path


def open_image(source: Source, max_pixels: int) -> Image.Image:
    """Read an image, a large one in part, as its deliveries are read.

    Raises:
        UserError: it cannot be read.
    """
    try:
        return decode(source.file, max_pixels, at_least=LONGEST).image
    except BadImageError as error:
        raise UserError(
            f"{source.file}: expected a readable image ({error}); restore it or remove it"
        ) from None


def photographs(sources: Sequence[Source], max_pixels: int) -> Iterator[Image.Image]:
    """Yield the images of ``sources`` one after the other."""
    for source in sources:
        yield open_image(source, max_pixels)


def training_views(image: Image.Image, name: str, networks: Networks, seed: int) -> np.ndarray:
    """Describe training views of a photograph and its remakes: ``[len(TRAINING_VIEWS),F]``."""

    def view(number: int, made: str) -> np.ndarray:
        rng = generator(seed, "traces", name, "learn", number)
        square = cut_patch(scaled(image, TRAINING, rng), rng)
        if made:
            square = remake(made, square, networks, rng)
        return describe(finish(square, TRAINING, rng))

    return np.stack([view(number, made) for number, made in enumerate(TRAINING_VIEWS)])


def described(
    sources: Sequence[Source], networks: Networks | None, max_pixels: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Describe images, a few at a time to limit memory.

    Args:
        sources: N files.
        networks: that reconstruct photographs; None if the images are not used for training.
        max_pixels: larger images are bad.
        seed: of the training views.

    Returns:
        Scoring views ``[N,SCORE_VIEWS,F]`` and training views ``[N,len(TRAINING_VIEWS),F]`` (or
        ``[N,0,F]``).
    """
    found = list(in_order(partial(_both, networks, max_pixels, seed), sources, "forensics"))
    scoring, training = zip(*found, strict=True)
    return np.stack(scoring), np.stack(training)


def _both(
    networks: Networks | None, max_pixels: int, seed: int, source: Source
) -> tuple[np.ndarray, np.ndarray]:
    image = open_image(source, max_pixels)
    scoring = scoring_views(image)
    if networks is None:
        return scoring, scoring[:0]
    return scoring, training_views(image, source.id, networks, seed)
