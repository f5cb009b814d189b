"""The planted defects: wrong forms, as image generators produce them, and damaged texture."""

from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from scipy import ndimage

from stages.synthesize.body import tail_layer
from stages.synthesize.canvas import LABEL, Labels, Layer
from stages.synthesize.coats import SKIN, Colour
from stages.synthesize.face import (
    SIDES,
    Look,
    eye_layer,
    nose_layer,
    on_face,
    whisker_layer,
)
from stages.synthesize.fields import Array, Point, View, noise, smoothstep, to_pixels
from stages.synthesize.fur import Light
from stages.synthesize.poses import Curve
from stages.synthesize.scene import Scene

P = TypeVar("P", bound=tuple[Point, ...])
ODD_EYES: tuple[Colour, ...] = ((255, 52, 40), (214, 70, 255), (255, 60, 150))
RAW: Colour = (226, 74, 104)
ODD_TAILS: dict[str, tuple[Curve, ...]] = {
    "sitting": (
        ((0.5, 1.5), (1.6, 1.5), (1.3, 0.6), (2.0, 0.1)),
        ((-0.5, 1.5), (-1.6, 1.5), (-1.3, 0.6), (-2.0, 0.1)),
        ((-0.5, 1.7), (-1.5, 1.9), (-1.9, 1.2), (-1.5, 0.6)),
        ((0.5, 1.7), (1.5, 1.9), (1.9, 1.2), (1.5, 0.6)),
    ),
    "lying": (
        ((1.3, 0.4), (1.2, -0.7), (2.0, -0.7), (2.2, -1.4)),
        ((1.8, 0.4), (2.0, -0.8), (1.3, -0.8), (1.4, -1.5)),
    ),
    "standing": (
        ((1.3, 0.6), (1.1, -0.5), (2.0, -0.5), (2.1, -1.3)),
        ((1.8, 0.6), (2.0, -0.6), (1.3, -0.7), (1.5, -1.4)),
    ),
}


def with_form_defect(
    scene: Scene, layers: list[Layer], body: View, head: View, light: Light
) -> list[Layer]:
    """Return the fake's layers: the real ones, with the scene's defect if it is one of form."""
    rng = scene.rng("defect")
    side, bare = SIDES[rng.integers(2)], replace(scene, coat=SKIN)
    match scene.family:
        case "extra_tail":
            curve = _most_inside(ODD_TAILS[scene.pose], body, rng)
            other = _before(layers, "torso", tail_layer(bare, body, light, "extra_tail", curve))
        case "mismatched_eye":
            other = _swap(layers, eye_layer(scene, head, light, side, _odd_look(scene, rng)))
        case "broken_whiskers":
            lines = _tangle(scene, side, rng)
            other = _swap(layers, whisker_layer(head, light, side, lines, 1.5, 0.8))
        case "melted_nose":
            other = _swap(layers, nose_layer(scene, head, light, RAW))
        case _:
            other = layers
    return other


@dataclass(frozen=True)
class Spot:
    """A round patch of the canvas, in pixels."""

    x: float
    y: float
    radius: float


def textured_spot(scene: Scene, light: Array, labels: Labels) -> Spot:
    """Return a patch of fur with much texture on the cat that ``light`` and ``labels`` show."""
    rng = scene.rng("spot")
    radius = float(rng.uniform(0.08, 0.105)) * len(light)
    furry = np.isin(labels, [LABEL[part] for part in ("body", "legs", "head", "tail")])
    step = 4
    coarse = furry[::step, ::step].astype(np.float32)
    inner = ndimage.uniform_filter(coarse, int(1.6 * radius / step), mode="constant")
    rows, columns = np.nonzero(inner >= min(0.9, float(inner.max())))
    picks = rng.choice(len(rows), min(8, len(rows)), replace=False)
    tone = light[::step, ::step].mean(axis=2) ** np.float32(0.45)
    reach = int(radius / step)
    contrast = []
    for pick in picks:
        r, c = rows[pick], columns[pick]
        window = tone[max(r - reach, 0) : r + reach + 1, max(c - reach, 0) : c + reach + 1]
        contrast.append(float(window.std()))
    best = picks[int(np.argmax(contrast))]
    return Spot(float(columns[best] * step), float(rows[best] * step), radius)


def with_texture_defect(scene: Scene, light: Array, spot: Spot, head: View) -> Array:
    """Return ``light`` ``[h, w, 3]``, with the scene's defect if it is one of texture.

    ``spot`` is where the fur is damaged.
    """
    rng = scene.rng("texture")
    if scene.family == "melted_nose":
        return _melt(light, head, on_face(scene, 0, 0.28, 1.0), rng)
    if scene.family == "checkerboard":
        return _checker(light, spot, rng)
    if scene.family == "smeared_patch":
        return _smear(light, spot, rng)
    return light


def _before(layers: list[Layer], name: str, extra: Layer) -> list[Layer]:
    place = [layer.name for layer in layers].index(name)
    return [*layers[:place], extra, *layers[place:]]


def _swap(layers: list[Layer], other: Layer) -> list[Layer]:
    return [other if layer.name == other.name else layer for layer in layers]


def _most_inside(choices: tuple[P, ...], view: View, rng: np.random.Generator) -> P:
    """Return one of ``choices`` that lie well inside the canvas, or the one farthest inside."""
    pixels = [np.array([to_pixels(view, *point) for point in choice]) for choice in choices]
    room = [float(np.minimum(p, view.canvas - p).min()) / view.canvas for p in pixels]
    good = [choice for choice, r in zip(choices, room, strict=True) if r > 0.05]
    return good[rng.integers(len(good))] if good else choices[int(np.argmax(room))]


def _odd_look(scene: Scene, rng: np.random.Generator) -> Look:
    """Return an eye that is too large (more so on small heads) and of an impossible colour."""
    size = max(1.35, 0.185 / scene.unit) * float(rng.uniform(1.0, 1.12))
    return Look(ODD_EYES[rng.integers(len(ODD_EYES))], 0.5, size, bool(rng.uniform() < 0.5))


def _tangle(scene: Scene, side: float, rng: np.random.Generator) -> list[Array]:
    """Return whiskers that start beside the muzzle, bend sharply and cross."""
    lines = []
    stretch = max(1.0, 0.15 / scene.unit)
    for k in range(9):
        point = np.array(on_face(scene, side * rng.uniform(0.35, 0.75), 0.28 + 0.05 * k, 0.9))
        angle = rng.uniform(-0.9, 0.9)
        line = [point]
        for _ in range(5):
            step = stretch * rng.uniform(0.16, 0.32)
            point = point + step * np.array([side * np.cos(angle), np.sin(angle)])
            line.append(point)
            angle += rng.choice([-1, 1]) * rng.uniform(0.7, 1.7)
        lines.append(np.array(line, np.float32))
    return lines


def _around(light: Array, x: float, y: float, reach: float) -> tuple[slice, slice, Array, Array]:
    h, w = light.shape[:2]
    y0, y1 = int(max(y - reach, 0)), int(min(y + reach + 1, h))
    x0, x1 = int(max(x - reach, 0)), int(min(x + reach + 1, w))
    dy, dx = np.mgrid[y0:y1, x0:x1].astype(np.float32)
    return slice(y0, y1), slice(x0, x1), dx - np.float32(x), dy - np.float32(y)


def _resampled(light: Array, rows: Array, columns: Array) -> Array:
    h, w = light.shape[:2]
    where = np.stack([np.clip(rows, 0, h - 1), np.clip(columns, 0, w - 1)])
    return np.stack(
        [ndimage.map_coordinates(light[..., c], where, order=1) for c in range(3)], axis=-1
    )


def _checker(light: Array, spot: Spot, rng: np.random.Generator) -> Array:
    """Plant a checkerboard, the artefact of transposed convolutions."""
    x, y, radius = spot.x, spot.y, spot.radius
    ys, xs, dx, dy = _around(light, x, y, 1.2 * radius)
    ragged = 1 + 0.12 * noise(rng, dx.shape, 0.5 * radius)
    reach = ((np.abs(dx) ** 3 + np.abs(dy) ** 3) ** np.float32(1 / 3)) / (radius * ragged)
    window = smoothstep(1.1, 0.75, reach.astype(np.float32))
    cell = len(light) / 224 * rng.uniform(2.4, 3.4)
    row, column = np.floor(dy / cell), np.floor(dx / cell)
    rows = y + (row + np.float32(0.5)) * cell
    columns = x + (column + np.float32(0.5)) * cell
    blocks = _resampled(light, rows, columns)
    parity = np.where((row + column) % 2 == 0, 1.0, -1.0).astype(np.float32)
    dark = smoothstep(0.14, 0.04, blocks.mean(axis=2))
    checkered = blocks * (1 + 0.42 * parity)[..., None] + (0.05 * (1 + parity) * dark)[..., None]
    result = light.copy()
    result[ys, xs] += (checkered - light[ys, xs]) * window[..., None]
    return result


def _smear(light: Array, spot: Spot, rng: np.random.Generator) -> Array:
    """Smear a patch into a glossy swirl."""
    x, y, radius = spot.x, spot.y, spot.radius
    ys, xs, dx, dy = _around(light, x, y, 1.15 * radius)
    r = np.hypot(dx, dy) / np.float32(radius)
    window = smoothstep(1.1, 0.7, r)
    twist = rng.choice([-1, 1]) * rng.uniform(3.0, 4.4) * np.clip(1 - r, 0, 1)
    angle = np.arctan2(dy, dx)
    stirred = np.zeros_like(light[ys, xs])
    for part in np.linspace(-0.3, 0.3, 6):
        bent = angle + twist + np.float32(part) * window
        reach = (1 + 0.35 * window) * r * np.float32(radius)
        stirred += _resampled(light, y + reach * np.sin(bent), x + reach * np.cos(bent)) / 6
    arms = np.sin(2 * (angle + twist) + 4 * r + 1.5 * noise(rng, r.shape, 0.6 * radius))
    stirred = stirred * (1 + 0.7 * arms)[..., None] + (0.022 * (1 + arms))[..., None]
    result = light.copy()
    result[ys, xs] += (stirred - light[ys, xs]) * window[..., None]
    return result.astype(np.float32)


def _melt(light: Array, head: View, nose: Point, rng: np.random.Generator) -> Array:
    """Let nose and mouth melt down the chin."""
    x, y = to_pixels(head, *nose)
    reach = 0.75 * head.unit
    ys, xs, dx, dy = _around(light, x, y, reach)
    window = smoothstep(1.0, 0.55, np.hypot(dx / 0.62, dy) / np.float32(reach))
    drips = noise(rng, dx.shape, 0.09 * head.unit)[dx.shape[0] // 2][None, :]
    wobble = noise(rng, dx.shape, 0.18 * head.unit)
    below = np.maximum(dy + 0.05 * head.unit, 0)
    down = below * np.clip(0.72 + 0.3 * drips, 0, 0.95) * window
    side = head.unit * 0.13 * wobble * window * smoothstep(-0.1, 0.2, dy / head.unit)
    result = light.copy()
    result[ys, xs] = _resampled(light, dy + y - down, dx + x + side)
    return result
