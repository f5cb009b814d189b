"""From image files to the described views that are learned from and judged."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from stages.forensics.detail import describe
from stages.forensics.remakes import REMAKES, Networks, remake
from stages.forensics.views import SCORING, TRAINING, finish, patch
from twincam.determinism import generator
from twincam.files.errors import UserError
from twincam.images.decoding import BadImageError, decode
from twincam.images.parallel import in_order

SCORE_VIEWS = 3
LEARNED = ("", "", *REMAKES)
"""What the views to learn from show, "" for the photograph as it is."""


class Source(NamedTuple):
    """An image file and the id that its views are drawn by."""

    id: str
    file: Path


def open_image(source: Source, max_pixels: int) -> Image.Image:
    """Read an image.

    Raises:
        UserError: it cannot be read.
    """
    try:
        return decode(source.file, max_pixels).image
    except BadImageError as error:
        raise UserError(
            f"{source.file}: expected a readable image ({error}); restore it or take it out"
        ) from None


def photographs(sources: Sequence[Source], max_pixels: int) -> Iterator[Image.Image]:
    """Yield the images of ``sources`` one after the other."""
    for source in sources:
        yield open_image(source, max_pixels)


def to_judge(image: Image.Image, name: str, seed: int) -> np.ndarray:
    """Describe the views that an image is judged by: ``[SCORE_VIEWS,F]``."""

    def view(number: int) -> np.ndarray:
        rng = generator(seed, "traces", name, "judge", number)
        return describe(finish(patch(image, SCORING, rng), SCORING, rng))

    return np.stack([view(number) for number in range(SCORE_VIEWS)])


def to_learn(image: Image.Image, name: str, networks: Networks, seed: int) -> np.ndarray:
    """Describe what a photograph teaches, views of itself and remakes: ``[len(LEARNED),F]``."""

    def view(number: int, made: str) -> np.ndarray:
        rng = generator(seed, "traces", name, "learn", number)
        square = patch(image, TRAINING, rng)
        if made:
            square = remake(made, square, networks, rng)
        return describe(finish(square, TRAINING, rng))

    return np.stack([view(number, made) for number, made in enumerate(LEARNED)])


def described(
    sources: Sequence[Source], networks: Networks | None, max_pixels: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Describe images, a few at a time so that memory stays small.

    Args:
        sources: N files.
        networks: that make photographs again; None where nothing is learned from the images.
        max_pixels: larger images are bad.
        seed: of the views.

    Returns:
        What to judge ``[N,SCORE_VIEWS,F]`` and what to learn from ``[N,len(LEARNED),F]`` (or
        ``[N,0,F]``).
    """
    found = list(in_order(partial(_both, networks, max_pixels, seed), sources, "forensics"))
    judged, learned = zip(*found, strict=True)
    return np.stack(judged), np.stack(learned)


def _both(
    networks: Networks | None, max_pixels: int, seed: int, source: Source
) -> tuple[np.ndarray, np.ndarray]:
    image = open_image(source, max_pixels)
    judged = to_judge(image, source.id, seed)
    if networks is None:
        return judged, judged[:0]
    return judged, to_learn(image, source.id, networks, seed)
