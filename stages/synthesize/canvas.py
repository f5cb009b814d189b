"""Layers, compositing them from back to front, and turning linear light into pixels."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from stages.synthesize.fields import Array, Box

PARTS = (
    "background",
    "body",
    "tail",
    "head",
    "ears",
    "eyes",
    "nose",
    "whiskers",
    "legs",
    "mouth",
)
LABEL = {name: value for value, name in enumerate(PARTS)}
Labels = NDArray[np.uint8]
Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Layer:
    """One part of the cat: linear light ``rgb`` ``[h, w, 3]`` and ``alpha`` ``[h, w]`` in ``box``.

    ``shade`` ``[h, w]`` (0..1) is how much it darkens the cat around and below it; None for not.
    """

    name: str
    part: str
    box: Box
    rgb: Array
    alpha: Array
    shade: Array | None = None


def cropped(layer: Layer) -> Layer:
    """Return ``layer`` without the empty margins of its box; a layer with shade keeps them."""
    if layer.shade is not None:
        return layer
    filled = layer.alpha > 0.004
    rows, columns = np.flatnonzero(filled.any(axis=1)), np.flatnonzero(filled.any(axis=0))
    if not len(rows):
        return Layer(layer.name, layer.part, (0, 0, 1, 1), layer.rgb[:1, :1], layer.alpha[:1, :1])
    window = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    y0, x0 = layer.box[:2]
    box = (y0 + rows[0], x0 + columns[0], y0 + rows[-1] + 1, x0 + columns[-1] + 1)
    return Layer(layer.name, layer.part, box, layer.rgb[window], layer.alpha[window])


def composite(backdrop: Array, layers: Iterable[Layer]) -> tuple[Array, Labels]:
    """Lay ``layers`` over ``backdrop``; return the light and the labels of the visible parts."""
    light = backdrop.copy()
    labels = np.zeros(light.shape[:2], np.uint8)
    for layer in layers:
        y0, x0, y1, x1 = layer.box
        under, label = light[y0:y1, x0:x1], labels[y0:y1, x0:x1]
        if layer.shade is not None:
            under *= (1 - layer.shade * (label > 0))[..., None]
        under += (layer.rgb - under) * layer.alpha[..., None]
        label[layer.alpha > 0.4] = LABEL[layer.part]
    return light, labels


def shade_below(alpha: Array, strength: float, unit: float) -> Array:
    """Return the soft shadow ``[h, w]`` that a form of ``alpha`` casts on what it touches."""
    coarse = max(1, round(0.05 * unit))
    soft = ndimage.shift(
        alpha[::coarse, ::coarse], (0.14 * unit / coarse, 0), order=0, mode="nearest"
    )
    soft = ndimage.gaussian_filter(soft, 0.16 * unit / coarse, truncate=2.5)
    page = Image.fromarray(strength * soft)
    return np.asarray(page.resize(alpha.shape[::-1], Image.Resampling.BILINEAR), np.float32)


def shrink(light: Array, factor: int) -> Array:
    """Average blocks of ``factor`` × ``factor`` pixels."""
    total = sum(light[i::factor, j::factor] for i in range(factor) for j in range(factor))
    return np.asarray(total / np.float32(factor * factor), dtype=np.float32)


def shrink_labels(labels: Labels, factor: int) -> Labels:
    """Return the most common label of each ``factor`` × ``factor`` block; thin parts weigh more."""
    thin = (LABEL["whiskers"], LABEL["mouth"])
    votes = [
        shrink((labels == value).astype(np.float32), factor) * (3.1 if value in thin else 1.0)
        for value in range(len(PARTS))
    ]
    return np.argmax(np.stack(votes), axis=0).astype(np.uint8)


def develop(light: Array) -> Array:
    """Turn linear light into display values 0..1 with a soft shoulder and slight contrast."""
    toned = 1 - np.exp(-1.35 * np.maximum(light, 0))
    display = toned ** np.float32(1 / 2.2)
    return display - 0.04 * np.sin(2 * np.pi * display).astype(np.float32)


def quantise(display: Array) -> NDArray[np.uint8]:
    """Map 0..1 to 0..255."""
    return np.clip(np.rint(display * 255), 0, 255).astype(np.uint8)
