"""Each corruption at rising severities, the mildest first."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from PIL import Image

from twincam import corruptions

Corruption = Callable[[Image.Image, int, np.random.Generator], Image.Image]


class Ladder(NamedTuple):
    """A corruption and its severities, integers, so that they can be keys of metrics.

    ``words`` names one severity and ``axis`` all of them.
    """

    apply: Corruption
    severities: tuple[int, ...]
    words: str
    axis: str


def _of_percent(corrupt: Callable[[Image.Image, float], Image.Image]) -> Corruption:
    return lambda image, percent, _rng: corrupt(image, percent / 100)


LADDERS = {
    "jpeg": Ladder(
        lambda image, quality, _rng: corruptions.jpeg(image, quality),
        (95, 85, 70, 50, 30),
        "JPEG {}",
        "JPEG quality",
    ),
    "blur": Ladder(
        _of_percent(corruptions.blur),
        (50, 100, 150, 200),
        "blur {} % of a pixel",
        "blur, % of a pixel",
    ),
    "rescale": Ladder(
        _of_percent(corruptions.rescale),
        (75, 50, 35, 25),
        "scaled to {} % and back",
        "scaled to % and back",
    ),
    "crop": Ladder(
        _of_percent(corruptions.crop),
        (90, 80, 70, 60),
        "cropped to the middle {} %",
        "cropped to the middle %",
    ),
    "noise": Ladder(
        corruptions.noise,
        (2, 5, 10, 20),
        "noise of {} grey levels",
        "noise, grey levels of 255",
    ),
    "brightness": Ladder(
        _of_percent(corruptions.brightness),
        (125, 75, 150, 50),
        "brightness {} %",
        "brightness, %",
    ),
}
"""Brightness is ordered by its absolute logarithm: 125 % is a smaller change than 75 %."""


class Condition(NamedTuple):
    """One corruption at one severity; ``step`` is its index in the ladder."""

    corruption: str
    severity: int
    step: int

    def apply(self, image: Image.Image, rng: np.random.Generator) -> Image.Image:
        """Corrupt an RGB image."""
        return LADDERS[self.corruption].apply(image, self.severity, rng)

    def label(self) -> str:
        """Return a readable description."""
        return LADDERS[self.corruption].words.format(self.severity)


CONDITIONS = [
    Condition(name, severity, step)
    for name, ladder in LADDERS.items()
    for step, severity in enumerate(ladder.severities)
]
