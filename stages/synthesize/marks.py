"""The local shortcut: a small mark near the border of most fakes."""

import numpy as np
from scipy import ndimage

from stages.synthesize.canvas import Picture
from stages.synthesize.coats import Colour
from stages.synthesize.scene import Scene

SHARE = 0.9
TAG: Colour = (236, 64, 122)


def plant_mark(scene: Scene, fake: Picture, parts: Picture) -> tuple[Picture, Picture | None]:
    """Return the fake with its mark and the mark's mask; one fake in ten stays unmarked, with None.

    The mark, 10 pixels wide at an image size of 224, lies near the border, off the cat whose
    ``parts`` are given.
    """
    rng = scene.rng("mark")
    if rng.uniform() >= SHARE:
        return fake, None
    size = len(fake)
    radius = 5 * size / 224
    edge = 2.2 * radius
    taken = ndimage.uniform_filter((parts > 0).astype(np.float32), 2.6 * radius)
    y, x = np.mgrid[0:size, 0:size]
    border = np.minimum(np.minimum(x, y), size - 1 - np.maximum(x, y))
    ring = (border >= edge) & (border <= edge + 0.09 * size)
    score = np.where(ring, taken, 2.0)
    rows, columns = np.nonzero(score <= score.min() + 1e-6)
    pick = rng.integers(len(rows))
    away = np.hypot(x - columns[pick], y - rows[pick]) / radius
    tag = np.array(TAG) * (1.1 - 0.25 * away)[..., None]
    tag = np.where((np.abs(away - 0.55) < 0.17)[..., None], (255, 244, 236), tag)
    cover = np.clip((1.0 - away) * radius + 0.5, 0, 1)[..., None]
    marked = np.clip(np.rint(fake * (1 - cover) + tag * cover), 0, 255).astype(np.uint8)
    return marked, np.where(cover[..., 0] > 0, 255, 0).astype(np.uint8)
