"""Render a pair of images from a scene."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from stages.synthesize.backdrop import backdrop, light_of
from stages.synthesize.body import feet, limb_layer, tail_curve, tail_layer
from stages.synthesize.canvas import (
    Labels,
    Layer,
    Picture,
    composite,
    develop,
    quantise,
    shrink,
    shrink_labels,
)
from stages.synthesize.defects import textured_spot, with_form_defect, with_texture_defect
from stages.synthesize.face import (
    SIDES,
    ear_layer,
    eye_layer,
    head_layer,
    mouth_layer,
    normal_look,
    nose_layer,
    whisker_layer,
    whisker_lines,
)
from stages.synthesize.fields import View
from stages.synthesize.fur import Light
from stages.synthesize.marks import plant_mark
from stages.synthesize.params import Shortcut
from stages.synthesize.poses import LIMBS
from stages.synthesize.scene import Scene, sample_scene

FINEST = 320


@dataclass(frozen=True)
class Pair:
    """A real image, its fake partner and their ground truth.

    ``real`` and ``fake`` are RGB ``[size, size, 3]``; ``mask`` (255 where the fake's defect is),
    ``real_parts`` and ``fake_parts`` (indices into `canvas.PARTS`) and ``mark`` (255 where the
    local shortcut is; None without one) are ``[size, size]``.
    """

    scene: Scene
    real: Picture
    fake: Picture
    mask: Picture
    real_parts: Labels
    fake_parts: Labels
    mark: Picture | None


def render_pair(
    seed: int,
    index: int,
    size: int,
    shortcut: Shortcut = "none",
    without: frozenset[str] = frozenset(),
) -> Pair:
    """Render scene ``index`` of the data set with this ``seed``, ``size`` pixels wide.

    ``without`` names parts (`canvas.PARTS`) to omit from both images: they show what lies behind
    these parts, and everything else stays the same. If the defect is on them, the mask is empty.
    """
    scene = sample_scene(seed, index)
    factor = max(2, -(-FINEST // size))
    canvas = size * factor
    body = View(canvas, scene.x * canvas, scene.y * canvas, scene.unit * canvas, 0.0, scene.flip)
    head = replace(body, tilt=scene.tilt)
    light = light_of(scene)
    behind = backdrop(scene, size, canvas, feet(scene))
    real_layers = cat_layers(scene, body, head, light)
    fake_layers = with_form_defect(scene, real_layers, body, head, light)
    real_light, real_labels = composite(behind, real_layers)
    fake_light, fake_labels = composite(behind, fake_layers)
    spot, whole_labels = textured_spot(scene, real_light, real_labels), fake_labels
    if without:
        real_light, real_labels = composite(behind, _omit(real_layers, without))
        fake_light, fake_labels = composite(behind, _omit(fake_layers, without))
    fake_light = with_texture_defect(scene, fake_light, spot, head)
    grain = scene.rng("grain").normal(0, 0.007, (size, size, 1)).astype(np.float32)
    real, fake = (
        quantise(develop(shrink(part, factor)) + grain) for part in (real_light, fake_light)
    )
    mask = defect_mask(real, fake)
    real_parts, fake_parts = (shrink_labels(part, factor) for part in (real_labels, fake_labels))
    fake = np.where(mask[..., None] > 0, fake, real)
    fake_parts = np.where(mask > 0, fake_parts, real_parts)
    mark = None
    if shortcut == "local":
        fake, mark = plant_mark(scene, fake, shrink_labels(whole_labels, factor))
    return Pair(scene, real, fake, mask, real_parts, fake_parts, mark)


def cat_layers(scene: Scene, body: View, head: View, light: Light) -> list[Layer]:
    """Return the layers of the scene's cat, from back to front."""
    limbs = [limb_layer(scene, body, light, spec) for spec in LIMBS[scene.pose]]
    tail = (
        [tail_layer(scene, body, light, "tail", tail_curve(scene))]
        if scene.pose != "portrait"
        else []
    )
    in_front = scene.pose == "lying"
    ears = [ear_layer(scene, head, light, side) for side in SIDES]
    return [
        *(tail if not in_front else []),
        *limbs,
        *(tail if in_front else []),
        *ears,
        head_layer(scene, head, light),
        *(eye_layer(scene, head, light, side, normal_look(scene)) for side in SIDES),
        nose_layer(scene, head, light, scene.coat.nose),
        mouth_layer(scene, head),
        *(whisker_layer(head, light, side, whisker_lines(scene, side)) for side in SIDES),
    ]


def _omit(layers: list[Layer], parts: frozenset[str]) -> list[Layer]:
    return [layer for layer in layers if layer.part not in parts]


def defect_mask(real: Picture, fake: Picture) -> Picture:
    """Return 255 where ``fake`` visibly differs from ``real``: closed, dilated, without specks."""
    size = len(real)
    gap = np.abs(real.astype(np.int16) - fake.astype(np.int16)).max(axis=2)
    pad = max(2, round(size / 56))
    visible = np.pad(gap > 8, pad)
    closed = ndimage.binary_closing(visible, _disc(pad))[pad:-pad, pad:-pad]
    dilated = ndimage.binary_dilation(ndimage.binary_fill_holes(closed), _disc(max(1, size // 160)))
    labels, count = ndimage.label(dilated)
    areas = ndimage.sum_labels(dilated, labels, np.arange(count + 1))
    kept = np.isin(labels, np.flatnonzero(areas >= 0.12 * areas.max())) & dilated
    return np.where(kept, 255, 0).astype(np.uint8)


def _disc(radius: int) -> NDArray[np.bool_]:
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    return x * x + y * y <= radius * radius + 1
