"""The head: ears, skull, eyes, nose, mouth, whiskers."""

from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageDraw

from stages.synthesize.canvas import Layer, cropped
from stages.synthesize.coats import Chart, Colour, albedo, linear
from stages.synthesize.fields import (
    Array,
    Point,
    View,
    ball,
    box_around,
    coordinates,
    inflate,
    limb,
    mix,
    noise,
    outline,
    smoothstep,
    to_pixels,
)
from stages.synthesize.fur import Light, Pelt, furry
from stages.synthesize.scene import Scene

SIDES = (-1.0, 1.0)
PINK = (226, 150, 140)


@dataclass(frozen=True)
class Look:
    """How an eye looks: ``wide`` is the pupil's width 0..1, ``level`` makes the slit horizontal."""

    colour: Colour
    wide: float
    size: float = 1.0
    level: bool = False


def on_face(scene: Scene, u: float, v: float, z: float) -> Point:
    """Return the projection of a point of the turned head; ``z`` points to the viewer."""
    return (
        u * float(np.cos(scene.yaw)) + z * float(np.sin(scene.yaw)),
        v * float(np.cos(scene.pitch)) + z * float(np.sin(scene.pitch)),
    )


def ear_layer(scene: Scene, view: View, light: Light, side: float) -> Layer:
    """Draw the ear of one ``side``."""
    name = f"ear{side:+.0f}"
    spread = float(scene.rng("ears").uniform(0.74, 0.9))
    base = on_face(scene, 0.56 * side, -0.5, -0.1)
    tip = on_face(scene, spread * side, -1.3, -0.15)
    rng = scene.rng("ear", name)
    box = box_around(view, [base, tip], 0.95)
    u, v = coordinates(view, box)
    axis = np.array([tip[0] - base[0], tip[1] - base[1]], np.float32)
    length = float(np.hypot(*axis))
    axis /= length
    along = ((u - base[0]) * axis[0] + (v - base[1]) * axis[1]) / length
    across = -(u - base[0]) * axis[1] + (v - base[1]) * axis[0]
    half = 0.51 * length * np.clip(1.02 - along, 0, 1.4) ** 0.78
    distance = np.minimum(half - np.abs(across), np.minimum(2 * along + 0.9, 1 - along))
    distance = (0.85 * distance).astype(np.float32)
    hollow = smoothstep(0.0, 0.1, 0.7 * half - np.abs(across - 0.05 * side) - 0.03)
    hollow *= smoothstep(0.92, 0.72, along)
    bulge = np.sqrt(np.clip(half**2 - across**2, 0, None))
    height = (0.7 * bulge - 0.16 * hollow).astype(np.float32)
    ones = np.ones_like(u)
    chart = Chart(3.0 * along, 0.25 * ones, 0 * ones, ones, 0 * ones)
    colour = albedo(scene.coat, chart, rng, view.unit)
    skin = linear(PINK) * (0.45 + 0.5 * smoothstep(-0.1, 0.7, along))[..., None]
    fluff = smoothstep(0.0, 0.7, noise(rng, u.shape, 0.05 * view.unit) + 0.35)
    fluff *= smoothstep(0.75, 0.1, along) * smoothstep(0.14, -0.2, across * side)
    tuft = linear(scene.coat.pale) * 0.95
    colour = mix(colour, mix(skin, np.broadcast_to(tuft, skin.shape), 0.7 * fluff), hollow)
    flow_u = axis[0] + 0.5 * side * smoothstep(-0.1, 0.3, across * side) + 0 * u
    pelt = Pelt(distance, height, flow_u, axis[1] + 0 * u, 0.11 * scene.coat.hair * ones)
    layer = Layer(name, "ears", box, colour, ones)
    return furry(layer, pelt, view, light, rng, 0.0)


def head_layer(scene: Scene, view: View, light: Light) -> Layer:
    """Draw skull, cheeks and muzzle, without eyes, nose and mouth."""
    rng = scene.rng("head")
    skull = [ball(0, -0.04, 0.98, 0.84), ball(-0.52, 0.26, 0.5, 0.44), ball(0.52, 0.26, 0.5, 0.44)]
    puffs = [ball(*on_face(scene, 0.17 * side, 0.43, 0.95), 0.25, 0.2, 0.8) for side in SIDES]
    chin = ball(*on_face(scene, 0, 0.62, 0.8), 0.19, 0.14, 0.62)
    bridge = replace(
        limb(on_face(scene, 0, -0.2, 0.85), on_face(scene, 0, 0.24, 1.0), 0.15, 0.12), lift=0.72
    )
    blobs = (*skull, *puffs, chin, bridge)
    box = box_around(view, outline(blobs), 0.3)
    u, v = coordinates(view, box)
    distance, height = inflate(blobs, u, v, 0.06)
    fu = u - np.float32(np.sin(scene.yaw)) * np.maximum(height, 0)
    fv = v - np.float32(np.sin(scene.pitch)) * np.maximum(height, 0)
    for side in SIDES:
        cu, cv = on_face(scene, 0.41 * side, -0.06, 0.78)
        height = height - 0.16 * np.exp(-(((u - cu) / 0.2) ** 2 + ((v - cv) / 0.17) ** 2))
    rays = np.hypot(fu, fv - 0.12)
    colour = albedo(scene.coat, _face_chart(fu, fv), rng, view.unit)
    colour = mix(colour, colour * 0.3, 0.5 * _eye_corners(scene, u, v))
    reach = 0.06 + 0.15 * smoothstep(0.25, 1.0, rays)
    pelt = Pelt(distance, height, fu * 1.1, fv - 0.12 + 0.25 * np.abs(fu), reach)
    layer = Layer("head", "head", box, colour, np.ones_like(u))
    return furry(layer, pelt, view, light, rng, 0.5)


def _face_chart(u: Array, v: Array) -> Chart:
    wide = np.abs(u)
    brow = smoothstep(-0.12, -0.34, v)
    phase = brow * (2.7 * wide + 0.25) + (1 - brow) * (2.3 * v + 0.9 * wide)
    stripes = np.maximum(
        smoothstep(0.85, 0.5, wide) * brow, smoothstep(0.5, 0.72, wide) * smoothstep(-0.5, -0.2, v)
    )
    muzzle = np.exp(-(((u / 0.4) ** 2 + ((v - 0.52) / 0.26) ** 2) ** 1.5))
    rings = np.exp(-((((wide - 0.4) / 0.34) ** 2 + ((v + 0.06) / 0.27) ** 2) ** 3))
    mask = np.exp(-(((u / 0.72) ** 2 + ((v - 0.2) / 0.6) ** 2) ** 1.3))
    blaze = smoothstep(0.1, -0.06, wide - 0.12 - 0.75 * np.maximum(v - 0.0, 0))
    return Chart(
        phase=phase,
        stripes=stripes,
        pale=np.maximum(muzzle, 0.55 * rings),
        tip=1.1 * mask,
        white=blaze * smoothstep(-0.65, -0.4, v),
    )


def _eye_corners(scene: Scene, u: Array, v: Array) -> Array:
    dark = np.zeros_like(u)
    for side in SIDES:
        cu, cv = on_face(scene, 0.2 * side, 0.08, 0.9)
        dark = np.maximum(dark, np.exp(-(((u - cu) / 0.04) ** 2 + ((v - cv) / 0.09) ** 2)))
    return dark


def eye_layer(scene: Scene, view: View, light: Light, side: float, look: Look) -> Layer:
    """Draw one eye with its dark rim."""
    rng = scene.rng("eye", side)
    centre = on_face(scene, 0.41 * side, -0.05, 0.78)
    box = box_around(view, [centre], 0.5 * look.size)
    u, v = coordinates(view, box)
    turn = 0.2 * side
    narrow = 1 + 0.35 * max(0.0, side * float(np.sin(scene.yaw)) * 1.6)
    a = ((u - centre[0]) * np.cos(turn) + (v - centre[1]) * np.sin(turn)) * narrow / look.size
    b = ((v - centre[1]) * np.cos(turn) - (u - centre[0]) * np.sin(turn)) / look.size
    a, b = a.astype(np.float32), b.astype(np.float32)
    belly = np.clip(1 - (a / 0.262) ** 2, 0, 1)
    upper, lower = -0.195 * scene.lid * belly**0.72, 0.165 * belly**0.7
    inside = np.minimum(b - upper, lower - b) - 1.2 * np.maximum(np.abs(a) - 0.235, 0)
    r = np.hypot(a, b) / 0.2
    fibre = noise(rng, (24, 8), 1.0)[((np.arctan2(b, a) + np.pi) * 3.8).astype(int) % 24, 4]
    iris = linear(look.colour) * (1.25 + 0.22 * fibre)[..., None]
    iris = mix(iris, iris * 0.28, smoothstep(0.75, 1.25, r))
    halo = smoothstep(0.75, 0.25, r)
    iris = mix(iris, iris * 0.75 + linear((214, 206, 110)) * 0.35, 0.5 * halo)
    iris = iris * (0.3 + 0.7 * smoothstep(0.0, 0.13, b - upper))[..., None]
    iris = iris * (1 + 0.5 * smoothstep(0.02, 0.15, b))[..., None]
    slit, length = 0.026 + 0.1 * look.wide, 0.165
    pa, pb = (slit, length) if not look.level else (length, 0.7 * slit)
    pupil = smoothstep(1.15, 0.85, np.hypot(a / pa, b / pb))
    iris = mix(iris, np.full_like(iris, 0.004), pupil)
    bright = 0.3 * (light.sky + light.ground) + 0.55 * light.key
    rgb = mix(np.full_like(iris, 0.008), iris * bright, smoothstep(-0.005, 0.02, inside))
    glint = scene.lamp * scene.flip
    spark = smoothstep(1.2, 0.75, np.hypot(a - 0.065 * glint, b + 0.085) / 0.048)
    echo = smoothstep(1.3, 0.6, np.hypot(a + 0.07 * glint, b - 0.075) / 0.026)
    rgb = rgb + (1.9 * spark * smoothstep(-0.01, 0.02, inside))[..., None] * (0.4 + 0.6 * light.key)
    rgb = rgb + (0.3 * echo)[..., None] * light.sky
    alpha = smoothstep(-0.06, -0.03, inside)
    return cropped(Layer(f"eye{side:+.0f}", "eyes", box, rgb.astype(np.float32), alpha))


def nose_layer(scene: Scene, view: View, light: Light, colour: Colour) -> Layer:
    """Draw the nose."""
    centre = on_face(scene, 0, 0.28, 1.0)
    box = box_around(view, [centre], 0.32)
    u, v = coordinates(view, box)
    a, b = u - np.float32(centre[0]), v - np.float32(centre[1])
    half = 0.165 * np.sqrt(np.clip(1 - (b + 0.085) / 0.2, 0, 1))
    inside = np.minimum(half - np.abs(a), b + 0.085 - 1.3 * a * a)
    shine = np.exp(
        -(((a - 0.03 * scene.lamp * scene.flip) / 0.06) ** 2 + ((b + 0.045) / 0.03) ** 2)
    )
    rgb = linear(colour) * (0.95 - 2.6 * np.maximum(b, 0) + 0.25 * (b < 0))[..., None]
    rgb = rgb * (0.5 * (light.sky + light.ground) + 0.75 * light.key)
    rgb = rgb + 0.3 * shine[..., None] * light.key
    holes = np.exp(-(((np.abs(a) - 0.085) / 0.035) ** 2 + ((b - 0.015) / 0.024) ** 2))
    rgb = mix(rgb, 0.1 * rgb, 0.95 * holes)
    alpha = smoothstep(-0.012, 0.014, inside)
    return cropped(Layer("nose", "nose", box, rgb.astype(np.float32), alpha))


def mouth_layer(scene: Scene, view: View) -> Layer:
    """Draw the line of the mouth."""
    centre = on_face(scene, 0, 0.28, 0.98)
    box = box_around(view, [centre], 0.45)
    u, v = coordinates(view, box)
    a, b = np.abs(u - np.float32(centre[0])), v - np.float32(centre[1])
    smile = 0.2 + 0.085 * np.sin(np.pi * np.clip(a / 0.25, 0, 1.15))
    line = np.exp(-(((b - smile) / 0.026) ** 2)) * smoothstep(0.29, 0.2, a)
    groove = np.exp(-((a / 0.018) ** 2)) * smoothstep(0.06, 0.09, b) * smoothstep(0.22, 0.18, b)
    alpha = (0.85 * np.maximum(line, 0.8 * groove)).astype(np.float32)
    rgb = np.broadcast_to(linear((64, 36, 34)), (*a.shape, 3)).astype(np.float32)
    return cropped(Layer("mouth", "mouth", box, rgb, alpha))


def whisker_lines(scene: Scene, side: float) -> list[Array]:
    """Return the whiskers of one side as polylines ``[n, 2]`` in cat coordinates."""
    rng = scene.rng("whiskers", side)
    t = np.linspace(0, 1, 24)[:, None]
    lines = []
    for k in range(5):
        root = np.array(on_face(scene, side * (0.2 + 0.05 * (k % 2)), 0.37 + 0.045 * k, 1.0))
        rise = -0.32 + 0.17 * k + rng.normal(0, 0.04)
        reach = rng.uniform(0.95, 1.3) * (1 + 0.25 * side * np.sin(scene.yaw))
        end = root + reach * np.array([side * np.cos(rise), np.sin(rise)])
        bow = (root + end) / 2 + np.array([0, -rng.uniform(0.1, 0.22)])
        lines.append(((1 - t) ** 2 * root + 2 * t * (1 - t) * bow + t**2 * end).astype(np.float32))
    return lines


def whisker_layer(
    view: View,
    light: Light,
    side: float,
    lines: list[Array],
    thickness: float = 1.0,
    shade: float = 0.4,
) -> Layer:
    """Draw polylines as whiskers that catch the light and cast a shadow of strength ``shade``."""
    points = [(float(p), float(q)) for line in lines for p, q in line]
    box = box_around(view, points, 0.1)
    y0, x0, y1, x1 = box
    fine = 2
    page = Image.new("L", ((x1 - x0) * fine, (y1 - y0) * fine))
    pen = ImageDraw.Draw(page)
    for line in lines:
        path = [
            tuple((c - o) * fine for c, o in zip(to_pixels(view, *p), (x0, y0), strict=True))
            for p in line.tolist()
        ]
        width = max(2, round(0.036 * view.unit * thickness))
        pen.line(path[: len(path) * 2 // 3], fill=255, width=width)
        pen.line(path[len(path) * 2 // 3 - 1 :], fill=255, width=max(1, width - 1))
    hair = np.asarray(page.reduce(fine), dtype=np.float32) / 255
    drop = max(1, round(0.03 * view.unit))
    shadow = shade * np.roll(hair, drop, axis=0)
    shadow[:drop] = 0
    alpha = 1 - (1 - 0.95 * hair) * (1 - shadow)
    bright = 0.5 * light.sky + 0.75 * light.key + 0.1
    share = 0.95 * hair / np.maximum(alpha, 1e-6)
    rgb = (share[..., None] * bright * np.float32(0.95)).astype(np.float32)
    return cropped(Layer(f"whiskers{side:+.0f}", "whiskers", box, rgb, alpha.astype(np.float32)))


def normal_look(scene: Scene) -> Look:
    """Return how the eyes of the scene's real image look."""
    return Look(scene.eyes, scene.pupil)
