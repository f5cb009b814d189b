"""Coats: palettes, and where on the cat each colour is."""

from dataclasses import dataclass

import numpy as np

from stages.synthesize.fields import Array, mix, noise, smoothstep

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Coat:
    """A coat's name, pattern and colours (sRGB 0..255); ``hair`` scales the hair's length."""

    name: str
    pattern: str
    base: Colour
    dark: Colour
    pale: Colour
    eyes: tuple[Colour, ...]
    nose: Colour = (214, 128, 124)
    hair: float = 1.0


GOLD, AMBER, GREEN = (214, 164, 50), (205, 124, 36), (138, 176, 82)
TEAL, BLUE, COPPER = (96, 170, 150), (92, 156, 214), (186, 96, 34)

COATS = (
    Coat("orange", "tabby", (224, 142, 70), (168, 80, 26), (248, 216, 172), (GREEN, AMBER, GOLD)),
    Coat("grey", "tabby", (150, 144, 138), (62, 58, 56), (214, 208, 200), (GREEN, GOLD, TEAL)),
    Coat("brown", "tabby", (158, 126, 92), (56, 42, 32), (224, 200, 168), (GREEN, GOLD)),
    Coat("silver", "tabby", (196, 194, 192), (78, 78, 82), (238, 236, 232), (GREEN, TEAL)),
    Coat("black", "solid", (42, 38, 38), (26, 24, 25), (58, 52, 50), (GOLD, GREEN), (70, 56, 56)),
    Coat("white", "solid", (236, 230, 222), (224, 214, 204), (246, 242, 236), (BLUE, GOLD)),
    Coat(
        "blue",
        "solid",
        (120, 126, 136),
        (92, 98, 110),
        (148, 154, 162),
        (GREEN, COPPER),
        (96, 88, 96),
    ),
    Coat("cream", "solid", (232, 200, 160), (212, 168, 122), (246, 228, 204), (COPPER, BLUE)),
    Coat("siamese", "point", (232, 216, 194), (74, 54, 46), (240, 228, 210), (BLUE,), (96, 72, 70)),
    Coat("tuxedo", "bicolour", (44, 40, 42), (30, 28, 30), (244, 240, 234), (GOLD, GREEN)),
    Coat("ginger", "bicolour", (222, 138, 68), (176, 92, 36), (250, 244, 234), (AMBER, GREEN)),
    Coat("calico", "patches", (246, 240, 230), (44, 38, 38), (250, 246, 240), (GOLD, GREEN)),
)
SKIN = Coat("skin", "tabby", (255, 142, 158), (196, 58, 92), (255, 190, 196), (GOLD,), hair=0.12)
GINGER = (220, 132, 58)


def linear(colour: Colour) -> Array:
    """Return an sRGB colour (0..255) as linear light ``[3]``, 0..1."""
    return ((np.array(colour, np.float32) / 255) ** np.float32(2.2)).astype(np.float32)


@dataclass(frozen=True)
class Chart:
    """Where on a part of the cat the coat's colours are; each ``[h, w]``.

    ``phase`` counts stripes, ``stripes`` (0..1) is their strength, ``pale`` (0..1) marks muzzle and
    underside, ``tip`` (0..1) the extremities, ``white`` (0..1) where a bicolour coat is white.
    """

    phase: Array
    stripes: Array
    pale: Array
    tip: Array
    white: Array


def albedo(coat: Coat, chart: Chart, rng: np.random.Generator, unit: float) -> Array:
    """Return the linear colour ``[h, w, 3]`` of ``coat`` on a part; ``unit`` is in pixels."""
    shape = chart.phase.shape
    coarse, fine = noise(rng, shape, 0.45 * unit), noise(rng, shape, 0.14 * unit)
    base, dark, pale = linear(coat.base), linear(coat.dark), linear(coat.pale)
    colour = np.broadcast_to(base, (*shape, 3)).astype(np.float32)
    wave = np.sin(2 * np.pi * (chart.phase + 0.16 * coarse + 0.05 * fine))
    bands = smoothstep(-0.15, 0.6, wave.astype(np.float32)) * chart.stripes
    if coat.pattern == "tabby":
        colour = mix(colour, dark, 0.92 * bands)
        colour = mix(colour, pale, 0.85 * chart.pale)
    elif coat.pattern == "solid":
        colour = mix(colour, dark, np.clip(0.35 + 0.5 * coarse, 0, 1))
        colour = mix(colour, pale, 0.5 * chart.pale)
    elif coat.pattern == "point":
        colour = mix(colour, dark, smoothstep(0.25, 0.8, chart.tip + 0.12 * fine))
    elif coat.pattern == "bicolour":
        colour = mix(colour, dark, 0.7 * bands)
        colour = mix(colour, pale, smoothstep(0.4, 0.6, chart.white + 0.1 * fine))
    else:
        edge = noise(rng, shape, 0.9 * unit) + 0.25 * fine - 1.2 * chart.pale
        other = noise(rng, shape, 1.1 * unit) + 0.25 * fine - 1.2 * chart.pale
        colour = mix(colour, linear(GINGER), smoothstep(0.02, 0.14, edge))
        colour = mix(colour, dark, smoothstep(0.12, 0.22, other))
    return colour
