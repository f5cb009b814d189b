"""Arrays over the picture: coordinates of the cat, shapes, heights, noise.

Every array is ``[h, w]`` over one box of the canvas. Lengths of shapes are in units of half the
head's width; a shape is given by its signed distance, positive inside.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Array = NDArray[np.floating[Any]]
Box = tuple[int, int, int, int]
Point = tuple[float, float]


@dataclass(frozen=True)
class View:
    """The transform from cat coordinates to a square canvas of ``canvas`` pixels.

    ``x``, ``y`` is the origin and ``unit`` the length 1, in pixels; ``flip`` is 1 or -1.
    """

    canvas: int
    x: float
    y: float
    unit: float
    tilt: float = 0.0
    flip: float = 1.0


@dataclass(frozen=True)
class Blob:
    """A tapered capsule from ``start`` to ``end``, stretched horizontally by ``aspect``."""

    start: Point
    end: Point
    radius: float
    end_radius: float
    aspect: float = 1.0
    lift: float = 0.0


def ball(u: float, v: float, ru: float, rv: float, lift: float = 0.0) -> Blob:
    """Return the upright ellipsoid around ``u, v``; ``lift`` raises it towards the viewer."""
    return Blob((u, v), (u, v), rv, rv, ru / rv, lift)


def limb(start: Point, end: Point, radius: float, end_radius: float) -> Blob:
    """Return a round limb that tapers from ``radius`` to ``end_radius``."""
    return Blob(start, end, radius, end_radius)


def to_pixels(view: View, u: float, v: float) -> Point:
    """Return the canvas position ``x, y``, in pixels, of cat coordinates ``u, v``."""
    x, y = direction(view, np.float32(u), np.float32(v))
    return view.x + view.unit * float(x), view.y + view.unit * float(y)


def direction(
    view: View, du: Array | np.float32, dv: Array | np.float32
) -> tuple[Array | np.float32, Array | np.float32]:
    """Transform directions from cat coordinates to the canvas."""
    cos, sin = np.float32(np.cos(view.tilt)), np.float32(np.sin(view.tilt))
    du = du * np.float32(view.flip)
    return du * cos - dv * sin, du * sin + dv * cos


def box_around(view: View, points: Sequence[Point], margin: float) -> Box:
    """Return the box ``y0, x0, y1, x1`` of the canvas around cat ``points``, never empty."""
    pixels = np.array([to_pixels(view, *point) for point in points])
    low = pixels.min(axis=0) - margin * view.unit
    high = pixels.max(axis=0) + margin * view.unit
    x0, y0 = np.clip(np.floor(low), 0, view.canvas - 2).astype(int)
    x1, y1 = np.clip(np.ceil(high), 2, view.canvas).astype(int)
    return int(y0), int(x0), int(max(y1, y0 + 2)), int(max(x1, x0 + 2))


def coordinates(view: View, box: Box) -> tuple[Array, Array]:
    """Return the cat coordinates ``u, v`` of every pixel centre in ``box``."""
    y0, x0, y1, x1 = box
    x = (np.arange(x0, x1, dtype=np.float32)[None, :] + 0.5 - view.x) / view.unit
    y = (np.arange(y0, y1, dtype=np.float32)[:, None] + 0.5 - view.y) / view.unit
    cos, sin = np.float32(np.cos(view.tilt)), np.float32(np.sin(view.tilt))
    u, v = (x * cos + y * sin) * view.flip, y * cos - x * sin
    return u.astype(np.float32), v.astype(np.float32)


def outline(blobs: Sequence[Blob]) -> list[Point]:
    """Return points whose bounding box contains all ``blobs``."""
    points = []
    for blob in blobs:
        for (u, v), r in ((blob.start, blob.radius), (blob.end, blob.end_radius)):
            ru = r * blob.aspect
            points += [(u - ru, v - r), (u + ru, v - r), (u - ru, v + r), (u + ru, v + r)]
    return points


def inflate(blobs: Sequence[Blob], u: Array, v: Array, blend: float) -> tuple[Array, Array]:
    """Return the smooth union of ``blobs`` as a signed distance and a height above the image plane.

    ``blend`` is the width over which neighbouring blobs merge.
    """
    distance = np.zeros_like(u)
    height = np.zeros_like(u)
    for blob in blobs:
        near, rise = _blob(blob, u, v)
        distance += np.exp(np.clip(near / blend, -30, 30))
        height += np.exp(np.clip(rise / blend, -30, 30))
    return blend * np.log(distance + 1e-13), blend * np.log(height + 1e-13)


def _blob(blob: Blob, u: Array, v: Array) -> tuple[Array, Array]:
    a = np.float32(blob.aspect)
    du, dv = (u - np.float32(blob.start[0])) / a, v - np.float32(blob.start[1])
    eu, ev = (blob.end[0] - blob.start[0]) / blob.aspect, blob.end[1] - blob.start[1]
    length = np.float32(max(eu * eu + ev * ev, 1e-9))
    t = np.clip((du * np.float32(eu) + dv * np.float32(ev)) / length, 0, 1)
    squared = (du - t * np.float32(eu)) ** 2 + (dv - t * np.float32(ev)) ** 2
    radius = np.float32(blob.radius) + t * np.float32(blob.end_radius - blob.radius)
    near = (radius - np.sqrt(squared)) * np.float32(min(1.0, blob.aspect))
    rise = np.sqrt(np.maximum(radius * radius - squared, 0)) + np.float32(blob.lift)
    return near, np.where(near > 0, rise, near)


def normals(height: Array, unit: float) -> Array:
    """Return unit normals ``[h, w, 3]`` of a height field: x right, y down, z to the viewer."""
    dy, dx = np.gradient(height * np.float32(unit))
    scale = 1 / np.sqrt(dx * dx + dy * dy + 1)
    return np.stack([-dx * scale, -dy * scale, scale], axis=-1)


def smoothstep(low: float, high: float, value: Array) -> Array:
    """Rise smoothly from 0 at ``low`` to 1 at ``high``; fall if ``low`` is larger."""
    t = np.clip((value - np.float32(low)) / np.float32(high - low), 0, 1)
    return t * t * (3 - 2 * t)


def mix(one: Array, other: Array, share: Array) -> Array:
    """Blend colours ``[..., 3]``; ``share`` ``[...]`` is the weight of ``other``."""
    return one + (other - one) * share[..., None]


def noise(rng: np.random.Generator, shape: tuple[int, int], cell: float) -> Array:
    """Return smooth noise, about -1..1, whose features are ``cell`` pixels wide."""
    rows, columns = (int(np.ceil(n / max(cell, 1))) + 3 for n in shape)
    grid = Image.fromarray(rng.uniform(-1, 1, (rows, columns)).astype(np.float32))
    window = (1.0, 1.0, 1 + shape[1] / max(cell, 1), 1 + shape[0] / max(cell, 1))
    resized = grid.resize((shape[1], shape[0]), Image.Resampling.BICUBIC, box=window)
    return np.asarray(resized, dtype=np.float32)
