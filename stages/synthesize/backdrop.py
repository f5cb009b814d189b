"""Rooms and gardens out of focus, and the light they cast."""

import numpy as np
from PIL import Image
from scipy import ndimage

from stages.synthesize.coats import Colour, linear
from stages.synthesize.fields import Array, Point, mix, noise, smoothstep
from stages.synthesize.fur import Light
from stages.synthesize.scene import Scene

LIGHTS: dict[str, tuple[Colour, Colour, Colour, Colour]] = {
    "window": ((1.30, 1.20, 1.02), (0.44, 0.50, 0.60), (0.30, 0.23, 0.17), (1.3, 1.2, 1.0)),
    "sofa": ((1.22, 1.10, 0.94), (0.46, 0.46, 0.52), (0.28, 0.23, 0.20), (1.0, 0.95, 0.9)),
    "garden": ((1.45, 1.32, 1.00), (0.42, 0.52, 0.56), (0.24, 0.32, 0.14), (1.7, 1.6, 1.0)),
    "evening": ((1.18, 0.88, 0.58), (0.26, 0.29, 0.46), (0.24, 0.17, 0.13), (1.5, 1.0, 0.6)),
    "books": ((1.25, 1.02, 0.76), (0.38, 0.37, 0.40), (0.27, 0.20, 0.14), (1.2, 1.0, 0.7)),
    "pastel": ((1.30, 1.20, 1.08), (0.52, 0.52, 0.56), (0.36, 0.31, 0.28), (1.0, 1.0, 1.0)),
}
WALLS: tuple[Colour, ...] = (
    (196, 208, 200),
    (214, 196, 182),
    (176, 192, 208),
    (220, 206, 176),
    (200, 178, 184),
)
FABRICS: tuple[Colour, ...] = ((92, 116, 124), (150, 96, 82), (116, 124, 92), (128, 104, 132))
SPINES: tuple[Colour, ...] = (
    (142, 58, 48),
    (52, 84, 104),
    (196, 164, 104),
    (72, 98, 72),
    (222, 210, 188),
    (98, 62, 82),
)


def light_of(scene: Scene) -> Light:
    """Return the light of the scene's backdrop on the cat."""
    key, sky, ground, rim = (np.array(part, np.float32) for part in LIGHTS[scene.backdrop])
    towards = np.array([0.62 * scene.lamp, -0.55, 0.56], np.float32)
    return Light(towards / np.linalg.norm(towards), key, sky, ground, rim)


def backdrop(scene: Scene, size: int, canvas: int, feet: list[tuple[float, ...]]) -> Array:
    """Return the scene without its cat, ``[canvas, canvas, 3]`` in linear light.

    It is painted at ``size`` pixels and enlarged. ``feet`` are the ellipses ``x, y, rx, ry``
    (fractions of the frame) on which the cat rests and casts its shadow.
    """
    rng = scene.rng("backdrop")
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) / np.float32(size)
    paint = {
        "window": _window,
        "sofa": _sofa,
        "garden": _garden,
        "evening": _evening,
        "books": _books,
        "pastel": _pastel,
    }[scene.backdrop]
    light = paint(scene, x, y, rng)
    light *= _shadows(scene, feet, x, y)[..., None]
    vignette = 1 - 0.38 * smoothstep(0.35, 0.85, np.hypot(x - 0.5, y - 0.5))
    light *= vignette[..., None]
    channels = [
        Image.fromarray(light[..., c]).resize((canvas, canvas), Image.Resampling.BICUBIC)
        for c in range(3)
    ]
    return np.maximum(np.stack([np.asarray(c) for c in channels], axis=-1), 0)


def _shadows(scene: Scene, feet: list[tuple[float, ...]], x: Array, y: Array) -> Array:
    shadow = np.zeros_like(x)
    for fx, fy, rx, ry in feet:
        du, dv = (x - np.float32(fx)) / rx, (y - np.float32(fy)) / ry
        shadow = np.maximum(shadow, 0.8 * np.exp(-1.1 * (du * du + dv * dv) ** 1.5))
        reach = -scene.lamp * 0.9 * rx
        du = (x - np.float32(fx + reach) + 0.9 * (y - np.float32(fy))) / (1.9 * rx)
        dv = (y - np.float32(fy - 0.1 * ry)) / (1.7 * ry)
        shadow = np.maximum(shadow, 0.5 * np.exp(-1.0 * (du * du + dv * dv)))
    return 1 - shadow


def _soft(picture: Array, amount: float) -> Array:
    sigma = amount * picture.shape[0]
    return ndimage.gaussian_filter(picture, (sigma, sigma, 0), truncate=2.5)


def _flat(colour: Array, x: Array) -> Array:
    return np.broadcast_to(colour, (*x.shape, 3)).astype(np.float32)


def _span(low: float, high: float, size: int) -> slice:
    return slice(*(int(np.clip(np.ceil(edge * size), 0, size)) for edge in (low, high)))


def _pick(colours: tuple[Colour, ...], rng: np.random.Generator) -> Array:
    return linear(colours[rng.integers(len(colours))])


def _meet(wall: Array, floor: Array, scene: Scene, y: Array) -> Array:
    """Join wall and floor; the floor becomes sharper towards the viewer."""
    below = smoothstep(scene.horizon - 0.012, scene.horizon + 0.012, y)
    near = smoothstep(scene.horizon, scene.horizon + 0.22, y)
    return mix(wall, mix(_soft(floor, 0.012), floor, near), below)


def _bokeh(
    light: Array, rng: np.random.Generator, colours: Array, count: int, top: float, bottom: float
) -> Array:
    """Add ``count`` discs of defocused light between the heights ``top`` and ``bottom``."""
    size = light.shape[0]
    glow = np.zeros_like(light)
    for _ in range(count):
        r = size * rng.uniform(0.12, 0.25) ** 2
        cx, cy = size * rng.uniform(0, 1), size * rng.uniform(top, bottom)
        x0, x1 = (int(np.clip(edge, 0, size)) for edge in (cx - r - 2, cx + r + 3))
        y0, y1 = (int(np.clip(edge, 0, size)) for edge in (cy - r - 2, cy + r + 3))
        yy, xx = np.mgrid[y0:y1, x0:x1].astype(np.float32)
        d = np.hypot(xx - cx, yy - cy) / r
        disc = smoothstep(1.06, 0.94, d) * (0.7 + 0.3 * smoothstep(0.7, 1.0, d))
        colour = colours[rng.integers(len(colours))] * rng.uniform(0.12, 0.8)
        glow[y0:y1, x0:x1] += disc[..., None] * colour
    return light + glow


def _wood(scene: Scene, x: Array, y: Array, rng: np.random.Generator) -> Array:
    tone = linear(((176, 122, 76), (142, 96, 62), (196, 154, 110))[rng.integers(3)])
    depth = 1 / (np.maximum(y - np.float32(scene.horizon), 0) + np.float32(0.13))
    across = (x - np.float32(rng.uniform(0.2, 0.8))) * depth * np.float32(1.5) + 20
    plank = np.floor(across)
    shift = rng.uniform(0, 1, 64).astype(np.float32)[plank.astype(int) % 64]
    along = depth * np.float32(0.7) + shift * 3
    board = (np.floor(along).astype(int) * 7 + plank.astype(int) * 13) % 64
    shade = rng.uniform(0.72, 1.2, 64).astype(np.float32)[board]
    wave = np.sin(across * 34 + 2.2 * np.sin(along * 5 + shift * 9)) * np.sin(
        across * 13 + shift * 40
    )
    seam = smoothstep(0.0, 0.035, np.minimum(across - plank, plank + 1 - across))
    grain = 1 + 0.09 * wave
    colour = _flat(tone, x) * (shade * grain * (0.45 + 0.55 * seam))[..., None]
    sheen = np.exp(-(((x - 0.5 - 0.35 * scene.lamp) / 0.3) ** 2)) * smoothstep(
        0.5, 0.0, y - np.float32(scene.horizon)
    )
    return colour * (0.75 + 0.5 * y[..., None]) + 0.16 * sheen[..., None].astype(np.float32)


def _wall(scene: Scene, x: Array, colour: Array, y: Array) -> Array:
    fall = 0.42 + 0.6 * np.exp(
        -(((x - 0.5 - 0.6 * scene.lamp) / 0.75) ** 2 + ((y - 0.1) / 0.9) ** 2)
    )
    return _flat(colour, x) * fall[..., None].astype(np.float32)


def _panes(x: Array, y: Array, centre: Point, size: Point, slant: float) -> Array:
    (cx, cy), (w, h) = centre, size
    du, dv = (x - cx + slant * (y - cy)) / w, (y - cy) / h
    frame = smoothstep(1.0, 0.94, np.abs(du)) * smoothstep(1.0, 0.95, np.abs(dv))
    bars = smoothstep(0.04, 0.09, np.abs(du)) * smoothstep(0.03, 0.07, np.abs(np.abs(dv) - 0.36))
    return frame * bars


def _window(scene: Scene, x: Array, y: Array, rng: np.random.Generator) -> Array:
    wall = _wall(scene, x, _pick(WALLS, rng), y)
    cx = 0.5 + 0.3 * scene.lamp + rng.uniform(-0.08, 0.08)
    width = rng.uniform(0.2, 0.28)
    outside = _flat(linear((206, 226, 240)), x) * 1.5
    leaves = smoothstep(-0.1, 0.5, noise(rng, x.shape, 0.09 * len(x)) + (y - 0.25) * 1.6)
    outside = mix(outside, _flat(linear((128, 172, 96)), x), 0.8 * leaves)
    outside = _bokeh(
        _soft(outside, 0.02), rng, np.array([[0.5, 0.55, 0.35]], np.float32), 14, 0, 0.5
    )
    opening = _panes(x, y, (cx, 0.2), (width, 0.36), 0.0)
    border = smoothstep(1.18, 1.1, np.abs(x - cx) / width) * smoothstep(0.62, 0.6, y)
    wall = mix(wall, _flat(linear((236, 232, 224)), x) * 0.75, border)
    wall = mix(wall, outside, opening)
    folds = 0.75 + 0.25 * np.sin(x * rng.uniform(70, 100))
    curtain = smoothstep(1.05, 1.15, np.abs(x - cx) / width) * smoothstep(
        1.75, 1.6, np.abs(x - cx) / width
    )
    cloth = _flat(linear((232, 220, 204)), x) * folds[..., None].astype(np.float32) * 0.8
    wall = _soft(mix(wall, cloth, 0.85 * curtain), 0.014)
    return _meet(wall, _wood(scene, x, y, rng), scene, y)


def _sofa(scene: Scene, x: Array, y: Array, rng: np.random.Generator) -> Array:
    cloth = _pick(FABRICS, rng)
    top = scene.horizon - rng.uniform(0.32, 0.45)
    wall = _wall(scene, x, _pick(WALLS, rng), y)
    seam = np.abs((x * 1.7 + rng.uniform(0, 1)) % 1.0 - 0.5) * 2
    puff = np.sqrt(np.clip(1 - seam**6, 0, 1)).astype(np.float32)
    rise = smoothstep(top - 0.02, top + 0.06, y + 0.03 * seam**4)
    weave = noise(rng, x.shape, 2.0) * 0.06 + noise(rng, x.shape, 0.08 * len(x)) * 0.08
    back = _flat(cloth, x) * ((0.35 + 0.65 * puff) * (0.9 + weave))[..., None]
    back *= (1.1 - 0.6 * smoothstep(top, scene.horizon, y))[..., None]
    wall = mix(_soft(wall, 0.02), _soft(back, 0.008), rise)
    cx, cy = 0.5 - 0.3 * scene.lamp, scene.horizon - 0.12
    d = (
        np.maximum(np.abs(x - cx) / 0.17, np.abs(y - cy) / 0.15) ** 4
        + np.hypot((x - cx) / 0.2, (y - cy) / 0.18) ** 4
    )
    cushion = _flat(_pick(WALLS, rng), x) * (0.95 - 0.4 * d)[..., None].astype(np.float32)
    cushion *= (0.86 + 0.14 * np.sign(np.sin((x + y) * 70)))[..., None]
    wall = mix(wall, _soft(cushion, 0.006), smoothstep(1.15, 1.0, d.astype(np.float32)))
    seat = _flat(cloth, x) * (0.85 + weave + 0.5 * (y - scene.horizon))[..., None].astype(
        np.float32
    )
    return _meet(wall, seat, scene, y)


def _garden(scene: Scene, x: Array, y: Array, rng: np.random.Generator) -> Array:
    deep, fresh = linear((46, 74, 38)), linear((150, 182, 84))
    cloud = noise(rng, x.shape, 0.16 * len(x)) + 0.6 * noise(rng, x.shape, 0.07 * len(x))
    wall = mix(_flat(deep, x), _flat(fresh, x), smoothstep(-0.7, 1.0, cloud + 0.8 * (0.4 - y)))
    sun = np.exp(-(((x - 0.5 - 0.4 * scene.lamp) / 0.4) ** 2 + (y / 0.4) ** 2))
    wall = _soft(wall, 0.03) + sun[..., None].astype(np.float32) * linear((255, 236, 170)) * 0.7
    drops = np.array([linear((236, 240, 170)), linear((170, 210, 110)), linear((255, 214, 190))])
    wall = _bokeh(wall, rng, drops, 28, -0.02, max(scene.horizon, 0.3))
    lawn = (
        _flat(linear((92, 132, 54)), x)
        * (0.8 + 0.25 * noise(rng, x.shape, 0.1 * len(x)))[..., None]
    )
    depth = np.maximum(y - np.float32(scene.horizon), 0)
    blades = noise(rng, x.shape, 2.0)
    blades = ndimage.gaussian_filter1d(blades, 0.014 * len(x), axis=0) * 4.0
    lawn *= (0.75 + 0.55 * smoothstep(-0.3, 0.6, blades) + 0.4 * depth)[..., None]
    flowers = rng.uniform(0, 1, (26, 2))
    for fx, fy in flowers:
        cy = scene.horizon + 0.05 + fy * 0.5
        r = 0.006 + 0.016 * fy
        ys, xs = (
            _span(cy - 1.2 * r, cy + 1.2 * r, len(x)),
            _span(fx - 1.2 * r, fx + 1.2 * r, len(x)),
        )
        d = np.hypot(x[ys, xs] - fx, (y[ys, xs] - cy) * 1.2).astype(np.float32) / np.float32(r)
        petals = mix(lawn[ys, xs], linear((246, 240, 232)), smoothstep(1.1, 0.7, d))
        lawn[ys, xs] = mix(petals, linear((240, 196, 60)), smoothstep(0.5, 0.3, d))
    return _meet(wall, lawn, scene, y)


def _evening(scene: Scene, x: Array, y: Array, rng: np.random.Generator) -> Array:
    wall = _flat(linear((58, 62, 92)), x) * (0.9 - 0.4 * y)[..., None]
    glow = np.exp(-(((x - 0.5 - 0.55 * scene.lamp) / 0.4) ** 2 + ((y - 0.25) / 0.4) ** 2))
    wall = wall + glow[..., None].astype(np.float32) * linear((255, 168, 88)) * 0.55
    fairy = np.array([linear((255, 196, 108)), linear((255, 160, 84)), linear((255, 224, 170))])
    wall = _bokeh(wall, rng, fairy, 20, 0.0, max(scene.horizon - 0.05, 0.25))
    tone = linear(((128, 62, 60), (84, 82, 122), (150, 124, 98))[rng.integers(3)])
    pile = 0.85 + 0.2 * noise(rng, x.shape, 2.0) + 0.15 * noise(rng, x.shape, 0.05 * len(x))
    rug = _flat(tone, x) * (pile * (0.65 + 0.4 * y))[..., None]
    lit = np.exp(-(((x - 0.5 - 0.3 * scene.lamp) / 0.4) ** 2))
    rug = rug + lit[..., None].astype(np.float32) * linear((255, 180, 110)) * 0.06
    return _meet(wall, rug, scene, y)


def _books(scene: Scene, x: Array, y: Array, rng: np.random.Generator) -> Array:
    wall = _flat(linear((92, 62, 42)), x) * 0.6
    gap = rng.uniform(0.2, 0.26)
    bottom = scene.horizon - 0.04
    while bottom > -0.2:
        left = rng.uniform(-0.05, 0.0)
        while left < 1.0:
            width, tall = rng.uniform(0.022, 0.055), gap * rng.uniform(0.6, 0.85)
            if rng.uniform() < 0.88:
                ys, xs = _span(bottom - tall, bottom, len(x)), _span(left, left + width, len(x))
                bulge = 1 - np.abs((x[ys, xs] - left) / width - 0.5)
                wall[ys, xs] = _pick(SPINES, rng) * bulge[..., None]
            left += width + 0.003
        bottom -= gap
    lamp = np.exp(-(((x - 0.5 - 0.45 * scene.lamp) / 0.32) ** 2 + ((y - 0.15) / 0.4) ** 2))
    wall = _soft(wall, 0.011) * (0.55 + 1.1 * lamp)[..., None].astype(np.float32)
    wall = wall + lamp[..., None].astype(np.float32) * linear((255, 190, 110)) * 0.22
    return _meet(wall, _wood(scene, x, y, rng), scene, y)


def _pastel(scene: Scene, x: Array, y: Array, rng: np.random.Generator) -> Array:
    colour = _pick(WALLS, rng)
    wall = _wall(scene, x, colour, y)
    cx, cy = 0.5 - 0.1 * scene.lamp + rng.uniform(-0.1, 0.1), rng.uniform(0.2, 0.3)
    beam = _panes(x, y, (cx, cy), (0.27, 0.3), 0.5 * scene.lamp)
    wall = _soft(wall + beam[..., None] * linear((255, 226, 178)) * 0.42, 0.012)
    floor = _flat(colour * 0.4 + linear((214, 196, 172)) * 0.6, x)
    floor = floor * (0.7 + 0.25 * y + 0.04 * noise(rng, x.shape, 0.03 * len(x)))[..., None]
    return _meet(wall, floor, scene, y)
