"""Everything of the cat behind its face: trunk, legs, tail."""

from dataclasses import dataclass

import numpy as np

from stages.synthesize.canvas import Layer
from stages.synthesize.coats import Chart, albedo
from stages.synthesize.fields import (
    Array,
    Blob,
    View,
    ball,
    box_around,
    coordinates,
    inflate,
    limb,
    outline,
    smoothstep,
)
from stages.synthesize.fur import Light, Pelt, furry
from stages.synthesize.scene import Scene

Point = tuple[float, float]
Curve = tuple[Point, Point, Point, Point]


@dataclass(frozen=True)
class Limb:
    """A furry form: its ``blobs``, the hair's direction ``flow`` and length, its markings.

    ``stripes`` is the direction across the stripes, as long as stripes per unit; ``tip`` the
    heights between which the coat's extremity begins; ``white`` a blob that bicolour coats leave
    white; ``toes`` the paws' centres.
    """

    name: str
    part: str
    blobs: tuple[Blob, ...]
    flow: Point
    hair: float
    stripes: Point
    shade: float
    tip: Point = (9.0, 10.0)
    white: Blob | None = None
    toes: tuple[Point, ...] = ()
    blend: float = 0.09
    dim: float = 1.0


CHEST = ball(0, 1.45, 0.42, 0.75)


def _front_leg(name: str, knee: Point, paw: Point, dim: float = 1.0) -> Limb:
    pu, pv = paw
    blobs = (limb(knee, (pu, pv - 0.12), 0.27, 0.19), ball(pu, pv, 0.27, 0.19, 0.06))
    white = ball(pu, pv, 0.4, 0.75)
    tip = (pv - 0.8, pv - 0.1)
    return Limb(name, "legs", blobs, (0, 1), 0.1, (0.1, 2.6), 0.4, tip, white, (paw,), dim=dim)


SITTING = (
    Limb(
        "torso",
        "body",
        (ball(0, 1.85, 0.86, 1.18), ball(0, 1.05, 0.68, 0.7)),
        (0, 1),
        0.2,
        (0.5, 1.7),
        0.0,
        white=CHEST,
    ),
    Limb("haunch_left", "body", (ball(-0.7, 2.42, 0.5, 0.6),), (-0.5, 1), 0.16, (1.2, 1.6), 0.35),
    Limb("haunch_right", "body", (ball(0.7, 2.42, 0.5, 0.6),), (0.5, 1), 0.16, (-1.2, 1.6), 0.35),
    Limb(
        "hind_paws",
        "legs",
        (ball(-0.8, 2.95, 0.36, 0.17), ball(0.8, 2.95, 0.36, 0.17)),
        (0, 1),
        0.08,
        (0, 1),
        0.35,
        (2.5, 2.9),
        ball(0, 2.95, 2, 0.3),
        ((-0.86, 2.95), (0.86, 2.95)),
    ),
    _front_leg("leg_left", (-0.32, 1.6), (-0.29, 2.98)),
    _front_leg("leg_right", (0.32, 1.6), (0.29, 2.98)),
)
LYING = (
    Limb(
        "torso",
        "body",
        (ball(1.3, 0.78, 1.65, 0.9), ball(0.2, 0.75, 0.8, 0.72)),
        (1, 0.35),
        0.2,
        (1.9, -0.3),
        0.0,
        white=ball(0, 1.0, 0.6, 0.6),
    ),
    Limb("haunch", "body", (ball(2.25, 0.98, 0.78, 0.7),), (0.7, 0.7), 0.17, (1.3, 1.2), 0.35),
    Limb(
        "hind_paw",
        "legs",
        (limb((2.2, 1.58), (1.55, 1.62), 0.2, 0.17),),
        (-1, 0.1),
        0.08,
        (2.2, 0),
        0.35,
        (1.2, 1.6),
        ball(1.5, 1.62, 0.5, 0.4),
        ((1.42, 1.62),),
    ),
    Limb(
        "leg_far",
        "legs",
        (limb((0.5, 1.1), (-0.45, 1.42), 0.3, 0.19), ball(-0.6, 1.45, 0.26, 0.17)),
        (-1, 0.3),
        0.09,
        (2.4, 0),
        0.2,
        (1.0, 1.4),
        ball(-0.6, 1.45, 0.5, 0.4),
        ((-0.66, 1.45),),
        dim=0.8,
    ),
    Limb(
        "leg_near",
        "legs",
        (limb((0.7, 1.25), (-0.15, 1.58), 0.3, 0.2), ball(-0.3, 1.6, 0.28, 0.18)),
        (-1, 0.3),
        0.09,
        (2.4, 0),
        0.35,
        (1.2, 1.5),
        ball(-0.3, 1.6, 0.5, 0.4),
        ((-0.38, 1.6),),
    ),
)
STANDING = (
    Limb(
        "hind_far",
        "legs",
        (
            limb((2.55, 1.1), (2.5, 1.75), 0.42, 0.22),
            limb((2.5, 1.75), (2.45, 2.35), 0.19, 0.15),
            ball(2.36, 2.42, 0.25, 0.14),
        ),
        (0, 1),
        0.09,
        (0.2, 2.2),
        0.0,
        (1.7, 2.2),
        ball(2.4, 2.4, 0.4, 0.5),
        ((2.3, 2.42),),
        dim=0.55,
    ),
    Limb(
        "leg_far",
        "legs",
        (limb((0.75, 1.1), (0.85, 2.3), 0.32, 0.17), ball(0.78, 2.4, 0.25, 0.15)),
        (0, 1),
        0.09,
        (0.2, 2.2),
        0.0,
        (1.7, 2.2),
        ball(0.8, 2.4, 0.4, 0.6),
        ((0.74, 2.4),),
        dim=0.55,
    ),
    Limb(
        "torso",
        "body",
        (ball(1.55, 0.85, 1.5, 0.66), ball(0.4, 0.72, 0.66, 0.72), ball(2.65, 0.8, 0.72, 0.68)),
        (1, 0.25),
        0.18,
        (2.1, -0.2),
        0.2,
        white=ball(0.1, 1.1, 0.6, 0.5),
    ),
    Limb(
        "hind_near",
        "legs",
        (
            ball(2.75, 1.1, 0.5, 0.66),
            limb((2.8, 1.55), (3.0, 1.95), 0.27, 0.18),
            limb((3.0, 1.95), (2.85, 2.45), 0.17, 0.15),
            ball(2.74, 2.52, 0.27, 0.15),
        ),
        (0.1, 1),
        0.1,
        (0.6, 2.0),
        0.3,
        (1.8, 2.3),
        ball(2.8, 2.5, 0.4, 0.5),
        ((2.68, 2.52),),
        blend=0.12,
    ),
    Limb(
        "leg_near",
        "legs",
        (limb((0.42, 1.0), (0.36, 2.35), 0.36, 0.18), ball(0.28, 2.5, 0.27, 0.16)),
        (0, 1),
        0.1,
        (0.2, 2.2),
        0.3,
        (1.7, 2.3),
        ball(0.3, 2.5, 0.4, 0.7),
        ((0.22, 2.5),),
    ),
)
PORTRAIT = (
    Limb(
        "torso",
        "body",
        (ball(0, 2.7, 1.35, 1.75), ball(0, 1.15, 0.92, 0.75)),
        (0, 1),
        0.24,
        (0.4, 1.5),
        0.0,
        white=ball(0, 1.8, 0.5, 1.3),
    ),
)
LIMBS = {"sitting": SITTING, "lying": LYING, "standing": STANDING, "portrait": PORTRAIT}
FEET = {
    "sitting": ((0.0, 3.0, 1.25, 0.22),),
    "lying": ((1.2, 1.65, 2.1, 0.24), (-0.4, 1.65, 0.5, 0.14)),
    "standing": ((0.5, 2.55, 0.55, 0.13), (2.7, 2.55, 0.6, 0.13), (1.6, 2.6, 1.9, 0.2)),
    "portrait": (),
}
FEET_LEVEL = {"sitting": 3.1, "lying": 1.8, "standing": 2.7, "portrait": 4.0}
TAILS: dict[str, tuple[Curve, ...]] = {
    "sitting": (
        ((0.6, 2.8), (1.6, 3.1), (2.2, 2.6), (1.75, 1.9)),
        ((0.6, 2.7), (1.5, 2.9), (1.5, 2.0), (1.95, 1.35)),
        ((0.7, 2.85), (1.6, 3.05), (2.0, 3.1), (2.5, 2.85)),
    ),
    "lying": (
        ((2.7, 1.3), (3.7, 1.7), (3.0, 1.95), (1.9, 1.85)),
        ((2.7, 1.2), (3.5, 1.6), (3.9, 1.2), (3.7, 0.6)),
    ),
    "standing": (
        ((3.1, 0.55), (3.9, 0.5), (3.6, -0.5), (4.0, -1.0)),
        ((3.1, 0.6), (4.0, 0.9), (3.9, 1.8), (4.4, 1.7)),
        ((3.05, 0.5), (3.7, 0.1), (3.1, -0.7), (3.3, -1.2)),
    ),
    "portrait": (),
}


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
    """Draw a tail along a cubic Bézier ``curve``."""
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
