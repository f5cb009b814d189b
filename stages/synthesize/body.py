"""The body of the cat: trunk, legs, tail."""

import numpy as np

from stages.synthesize.canvas import Layer
from stages.synthesize.coats import Chart, albedo
from stages.synthesize.fields import (
    Array,
    Blob,
    View,
    box_around,
    coordinates,
    inflate,
    outline,
    smoothstep,
)
from stages.synthesize.fur import Light, Pelt, furry
from stages.synthesize.poses import CHEST, FEET, FEET_LEVEL, TAILS, Curve, Limb
from stages.synthesize.scene import Scene


def feet(scene: Scene) -> list[tuple[float, ...]]:
    """Return the ellipses ``x, y, rx, ry`` (fractions of the frame) on which the cat rests."""
    unit = scene.unit
    return [
        (scene.x + scene.flip * u * unit, scene.y + v * unit, ru * unit, rv * unit)
        for u, v, ru, rv in FEET[scene.pose]
    ]


def limb_layer(scene: Scene, view: View, light: Light, spec: Limb) -> Layer:
    """Draw one furry form of the body."""
    rng = scene.rng("limb", spec.name)
    box = box_around(view, outline(spec.blobs), 0.35)
    u, v = coordinates(view, box)
    distance, height = inflate(spec.blobs, u, v, spec.blend)
    ones = np.ones_like(u)
    phase = u * np.float32(spec.stripes[0]) + v * np.float32(spec.stripes[1])
    chart = Chart(
        phase=phase + 0.25 * height,
        stripes=ones if spec.name != "torso" else smoothstep(-0.1, 0.4, np.abs(u)),
        pale=_inside(CHEST, u, v) if scene.pose == "sitting" else 0 * ones,
        tip=smoothstep(spec.tip[0], spec.tip[1], v),
        white=_inside(spec.white, u, v) if spec.white else 0 * ones,
    )
    colour = albedo(scene.coat, chart, rng, view.unit) * np.float32(spec.dim)
    colour *= (1 - 0.3 * smoothstep(0.3, 1.0, v / FEET_LEVEL[scene.pose]))[..., None]
    for toe_u, toe_v in spec.toes:
        colour *= _toes(u - toe_u, v - toe_v)[..., None]
    pelt = Pelt(distance, height, ones * spec.flow[0], ones * spec.flow[1], ones * spec.hair)
    layer = Layer(spec.name, spec.part, box, colour, ones)
    return furry(layer, pelt, view, light, rng, spec.shade)


def tail_layer(scene: Scene, view: View, light: Light, name: str, curve: Curve) -> Layer:
    """Draw a tail along the cubic Bézier ``curve``."""
    rng = scene.rng("tail", name)
    t = np.linspace(0, 1, 30, dtype=np.float32)[:, None]
    a, b, c, d = (np.array(point, np.float32) for point in curve)
    line = (1 - t) ** 3 * a + 3 * (1 - t) ** 2 * t * b + 3 * (1 - t) * t**2 * c + t**3 * d
    along = np.gradient(line, axis=0)
    radius = (0.24 - 0.09 * t[:, 0] ** 2) * np.minimum(1, np.sqrt((1.02 - t[:, 0]) * 9))
    box = box_around(view, [(float(p), float(q)) for p, q in line], 0.5)
    u, v = coordinates(view, box)
    gap = np.hypot(u[..., None] - line[:, 0], v[..., None] - line[:, 1]) - radius
    nearest = np.argmin(gap, axis=-1)
    distance = -np.take_along_axis(gap, nearest[..., None], axis=-1)[..., 0]
    r, ones = radius[nearest], np.ones_like(u)
    height = np.sqrt(np.maximum(r * r - np.minimum(r - distance, r) ** 2, 0)) - np.maximum(
        -distance, 0
    )
    share = t[nearest, 0]
    length = float(np.hypot(*np.diff(line, axis=0).T).sum())
    chart = Chart(
        phase=share * np.float32(2.6 * length),
        stripes=ones,
        pale=0 * ones,
        tip=ones,
        white=smoothstep(0.8, 0.9, share),
    )
    colour = albedo(scene.coat, chart, rng, view.unit)
    pelt = Pelt(
        distance, height, along[nearest, 0], along[nearest, 1], 0.22 * scene.coat.hair * ones
    )
    return furry(Layer(name, "tail", box, colour, ones), pelt, view, light, rng, 0.25)


def tail_curve(scene: Scene) -> Curve:
    """Return the curve of the scene's tail."""
    curves = TAILS[scene.pose]
    return curves[scene.rng("tail").integers(len(curves))]


def _inside(blob: Blob, u: Array, v: Array) -> Array:
    ru, rv = blob.radius * blob.aspect, blob.radius
    d = np.hypot((u - blob.start[0]) / ru, (v - blob.start[1]) / rv)
    return smoothstep(1.15, 0.7, d.astype(np.float32))


def _toes(u: Array, v: Array) -> Array:
    gaps = np.exp(-(((np.abs(u) - 0.08) / 0.022) ** 2)) * smoothstep(0.2, 0.1, np.abs(u))
    return 1 - 0.6 * gaps * smoothstep(-0.06, 0.03, v) * smoothstep(0.3, 0.2, v)
