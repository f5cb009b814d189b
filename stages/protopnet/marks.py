"""Take a known mark out of pictures that carry it, and plant it into others."""

import numpy as np
from scipy.ndimage import binary_dilation, gaussian_filter

from stages.protopnet.scene import Scene
from twincam.determinism import generator

MOST = 200
"""Pictures of a class that are changed, drawn by seed where there are more."""


def erase(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return ``image`` with the mark, and the rim that compression left, filled from around it.

    Args:
        image: bytes ``[S,S,3]``.
        mask: of the mark, ``[S,S]``.
    """
    size = len(image)
    hidden = binary_dilation(mask > 0, iterations=max(1, size // 56))
    sigma = 6 * size / 224
    shown = (~hidden)[..., None].astype(float)
    blurred, weight = (gaussian_filter(part, (sigma, sigma, 0)) for part in (image * shown, shown))
    filled = image.copy()
    filled[hidden] = (blurred / np.maximum(weight, 1e-6)).round().clip(0, 255)[hidden]
    return filled


def plant(image: np.ndarray, donor: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return ``image`` with what ``donor`` shows at ``mask``; arguments as in `erase`."""
    return np.where(mask[..., None] > 0, donor, image)


def changed_pictures(scene: Scene, seed: int) -> dict[tuple[int, str], np.ndarray]:
    """Return evaluated pictures by class index and what was done to them, bytes ``[N,S,S,3]``.

    ``mark_erased``: those that carry a mark, of any class, without it. ``mark_planted``: those of
    classes that never carry one, each with the mark of a carrier drawn by seed; ``other_planted``,
    the control: with what another image of the class shows in the place of that mark.
    """
    carriers = scene.watched[scene.marked]
    found: dict[tuple[int, str], np.ndarray] = {}
    if not len(carriers):
        return found
    for k in np.unique(scene.truth):
        rng = generator(seed, "marks", k)
        own = carriers[scene.labels[carriers] == k]
        if len(own):
            rows = rng.permutation(own)[:MOST]
            made = [erase(scene.images[row], scene.marks[row]) for row in rows]
            found[int(k), "mark_erased"] = np.stack(made)
        else:
            rows = rng.permutation(scene.watched[scene.truth == k])[:MOST]
            carrier = rng.choice(carriers, len(rows))
            for name, donors in (("mark_planted", carrier), ("other_planted", np.roll(rows, 1))):
                made = [
                    plant(scene.images[row], scene.images[donor], scene.marks[place])
                    for row, donor, place in zip(rows, donors, carrier, strict=True)
                ]
                found[int(k), name] = np.stack(made)
    return found
