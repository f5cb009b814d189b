"""Fur: shading of a form, and thousands of short hairs combed along it."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from stages.synthesize.canvas import Layer, shade_below
from stages.synthesize.fields import Array, View, direction, noise, normals, smoothstep

STEPS = 9


@dataclass(frozen=True)
class Light:
    """The light of a scene in linear RGB ``[3]``; ``key_from`` is the unit vector to the lamp."""

    key_from: Array
    key: Array
    sky: Array
    ground: Array
    rim: Array


def shaded(albedo: Array, normal: Array, light: Light) -> Array:
    """Return ``albedo`` ``[h, w, 3]`` lit by a soft key light, a hemisphere and a rim light."""
    across, down, out = normal[..., 0], normal[..., 1], normal[..., 2]
    facing = across * light.key_from[0] + down * light.key_from[1] + out * light.key_from[2]
    diffuse = np.clip((facing + 0.22) / 1.22, 0, 1)
    diffuse *= np.sqrt(diffuse)
    occluded = 0.4 + 0.6 * out
    up = (0.5 - 0.5 * down) * occluded
    edge = 1 - out
    edge *= edge * edge * np.clip(0.35 - down + 0.5 * facing, 0, 1)
    channels = []
    for c in range(3):
        flux = light.ground[c] * occluded + (light.sky[c] - light.ground[c]) * up
        flux += light.key[c] * diffuse + (0.9 * light.rim[c]) * edge
        channels.append(albedo[..., c] * flux + (0.16 * light.rim[c]) * edge)
    return np.stack(channels, axis=-1).astype(np.float32)


@dataclass(frozen=True)
class Pelt:
    """A furry form in a box: the arrays ``[h, w]`` of `fields.inflate`, and its hair.

    ``flow_u``, ``flow_v`` is the hair's direction in cat coordinates (of any length), ``hair`` its
    length in units of half the head's width.
    """

    distance: Array
    height: Array
    flow_u: Array
    flow_v: Array
    hair: Array


def furry(
    layer: Layer, pelt: Pelt, view: View, light: Light, rng: np.random.Generator, shade: float
) -> Layer:
    """Return ``layer``, whose ``rgb`` is its albedo, lit and covered with hair.

    ``shade`` (0..1) is how much the form darkens the cat around it.
    """
    shape = pelt.distance.shape
    soft = ndimage.gaussian_filter(pelt.height, 0.03 * view.unit)
    normal = normals(soft, view.unit)
    tufts = noise(rng, shape, 0.16 * view.unit)
    rgb = shaded(layer.rgb, normal, light) * (1 + 0.16 * tufts)[..., None]
    alpha = smoothstep(-0.01, 0.02, pelt.distance) * layer.alpha
    flow_x, flow_y = direction(view, pelt.flow_u, pelt.flow_v)
    size = np.hypot(flow_x, flow_y) + np.float32(1e-6)
    swirl = 0.55 * noise(rng, shape, 0.28 * view.unit)
    hair_x = (flow_x - swirl * flow_y) / size + 0.55 * normal[..., 0]
    hair_y = (flow_y + swirl * flow_x) / size + 0.55 * normal[..., 1]
    combed, cover = _comb(rgb, alpha, hair_x, hair_y, pelt.hair * np.float32(view.unit), rng)
    below = shade_below(cover, shade, view.unit) if shade else None
    return Layer(layer.name, layer.part, layer.box, combed, cover, below)


def _comb(
    rgb: Array, alpha: Array, flow_x: Array, flow_y: Array, hair: Array, rng: np.random.Generator
) -> tuple[Array, Array]:
    h, w = alpha.shape
    flat_rgb, flat_alpha = rgb.reshape(-1, 3).copy(), alpha.ravel().copy()
    rooted = np.flatnonzero(flat_alpha > 0.5)
    root = rng.choice(rooted, int(0.34 * len(rooted))) if len(rooted) else rooted
    count = len(root)
    y, x = (part.astype(np.float32) for part in np.divmod(root, w))
    angle = np.arctan2(flow_y.ravel()[root], flow_x.ravel()[root])
    angle += rng.normal(0, 0.22, count).astype(np.float32)
    bend = rng.normal(0, 0.07, count).astype(np.float32)
    step = hair.ravel()[root] / STEPS * rng.uniform(0.5, 1.35, count).astype(np.float32)
    tint = np.exp(rng.normal(0, 0.24, count)).astype(np.float32)[:, None]
    colour = flat_rgb[root] * tint
    for k in range(STEPS):
        t = np.float32(k / (STEPS - 1))
        row, column = y.astype(np.int64), x.astype(np.int64)
        inside = np.flatnonzero((row >= 0) & (row < h) & (column >= 0) & (column < w))
        pixel = row[inside] * w + column[inside]
        cover = np.float32(0.78) * (1 - t) ** np.float32(0.6) + np.float32(0.04)
        old = flat_rgb[pixel]
        flat_rgb[pixel] = old + (colour[inside] * (0.86 + 0.3 * t) - old) * cover
        flat_alpha[pixel] = np.maximum(flat_alpha[pixel], cover)
        x, y, angle = x + np.cos(angle) * step, y + np.sin(angle) * step, angle + bend
    return flat_rgb.reshape(h, w, 3), flat_alpha.reshape(h, w)
