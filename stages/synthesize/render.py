"""One scene in, one pair of images out."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from stages.synthesize.backdrop import backdrop, light_of
from stages.synthesize.body import LIMBS, feet, limb_layer, tail_curve, tail_layer
from stages.synthesize.canvas import (
    Labels,
    Layer,
    composite,
    develop,
    quantise,
    shrink,
    shrink_labels,
)
from stages.synthesize.defects import fur_spot, spoil_layers, spoil_light
from stages.synthesize.face import (
    SIDES,
    ear_ends,
    ear_layer,
    eye_layer,
    head_layer,
    mouth_layer,
    nose_layer,
    usual_look,
    whisker_layer,
    whisker_lines,
)
from stages.synthesize.fields import View
from stages.synthesize.fur import Light
from stages.synthesize.marks import plant_mark
from stages.synthesize.params import Shortcut
from stages.synthesize.scene import Scene, draw_scene

Picture = NDArray[np.uint8]
FINEST = 320


@dataclass(frozen=True)
class Pair:
    """A real image, its fake partner and what is true of them.

    ``real`` and ``fake`` are RGB ``[size, size, 3]``; ``mask`` (255 where the fake's defect is),
    ``real_parts`` and ``fake_parts`` (values of `canvas.PARTS`) and ``mark`` (255 where the local
    shortcut is; None without one) are ``[size, size]``.
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
    """Render scene ``index`` of the set ``seed`` at ``size`` pixels.

    ``without`` names parts (`canvas.PARTS`) that are left out of both images; what lies behind
    them is seen instead, all else stays. Where the defect goes with them, the mask is empty.
    """
    scene = draw_scene(seed, index)
    factor = max(2, -(-FINEST // size))
    canvas = size * factor
    body = View(canvas, scene.x * canvas, scene.y * canvas, scene.unit * canvas, 0.0, scene.flip)
    head = replace(body, tilt=scene.tilt)
    light = light_of(scene)
    behind = backdrop(scene, size, canvas, feet(scene))
    layers = cat_layers(scene, body, head, light)
    spoilt = spoil_layers(scene, layers, body, head, light)
    real_light, real_labels = composite(behind, layers)
    fake_light, fake_labels = composite(behind, spoilt)
    spot, whole_labels = fur_spot(scene, real_light, real_labels), fake_labels
    if without:
        real_light, real_labels = composite(behind, _leave_out(layers, without))
        fake_light, fake_labels = composite(behind, _leave_out(spoilt, without))
    fake_light = spoil_light(scene, fake_light, spot, head)
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
    """Return the layers of the scene's cat, back to front."""
    limbs = [limb_layer(scene, body, light, spec) for spec in LIMBS[scene.pose]]
    tail = (
        [tail_layer(scene, body, light, "tail", tail_curve(scene))]
        if scene.pose != "portrait"
        else []
    )
    in_front = scene.pose == "lying"
    ears = [
        ear_layer(scene, head, light, f"ear{side:+.0f}", *ear_ends(scene, side), side)
        for side in SIDES
    ]
    return [
        *(tail if not in_front else []),
        *limbs,
        *(tail if in_front else []),
        *ears,
        head_layer(scene, head, light),
        *(eye_layer(scene, head, light, side, usual_look(scene)) for side in SIDES),
        nose_layer(scene, head, light, scene.coat.nose),
        mouth_layer(scene, head),
        *(whisker_layer(scene, head, light, side, whisker_lines(scene, side)) for side in SIDES),
    ]


def _leave_out(layers: list[Layer], parts: frozenset[str]) -> list[Layer]:
    return [layer for layer in layers if layer.part not in parts]


def defect_mask(real: Picture, fake: Picture) -> Picture:
    """Return 255 where ``fake`` visibly differs from ``real``, without specks, closed and grown."""
    size = len(real)
    gap = np.abs(real.astype(np.int16) - fake.astype(np.int16)).max(axis=2)
    pad = max(2, round(size / 56))
    seen = np.pad(gap > 8, pad)
    closed = ndimage.binary_closing(seen, _disc(pad))[pad:-pad, pad:-pad]
    grown = ndimage.binary_dilation(ndimage.binary_fill_holes(closed), _disc(max(1, size // 160)))
    labels, count = ndimage.label(grown)
    areas = ndimage.sum_labels(grown, labels, np.arange(count + 1))
    kept = np.isin(labels, np.flatnonzero(areas >= 0.12 * areas.max())) & grown
    return np.where(kept, 255, 0).astype(np.uint8)


def _disc(radius: int) -> NDArray[np.bool_]:
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    return x * x + y * y <= radius * radius + 1
