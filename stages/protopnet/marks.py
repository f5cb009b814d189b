"""Erase a known mark from images that carry it, and add it to others."""

import numpy as np
from scipy.ndimage import binary_dilation, gaussian_filter

from twincam.determinism import generator
from twincam.files.shards import Rows

MOST = 200
"""The most images of a class that are changed; chosen at random."""


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


def changed_pictures(
    images: Rows, marks: Rows, rows: np.ndarray, labels: np.ndarray, seed: int
) -> dict[tuple[int, str], np.ndarray]:
    """Return changed evaluated images by class index and change, bytes ``[R,S,S,3]``.

    ``mark_erased``: those that carry a mark, of any class, without it. ``mark_planted``: those of
    classes that never carry one, each with the mark of a carrier chosen at random;
    ``other_planted``, the control: with the same region of another image of the class.

    Args:
        images: bytes ``[M,S,S,3]``.
        marks: ``[M,S,S]``, or ``[0,S,S]`` if none are known: nothing is returned then.
        rows: of the evaluated images, ``[V]``.
        labels: their class indices, ``[V]``.
        seed: of the choices.
    """
    carries = np.array([len(marks) > 0 and marks[row].any() for row in rows], bool)
    carriers = rows[carries]
    found: dict[tuple[int, str], np.ndarray] = {}
    if not len(carriers):
        return found
    for k in np.unique(labels):
        rng = generator(seed, "marks", k)
        own = carriers[labels[carries] == k]
        if len(own):
            some = rng.permutation(own)[:MOST]
            made = [erase(images[row], marks[row]) for row in some]
            found[int(k), "mark_erased"] = np.stack(made)
        else:
            some = rng.permutation(rows[labels == k])[:MOST]
            carrier = rng.choice(carriers, len(some))
            for name, donors in (("mark_planted", carrier), ("other_planted", np.roll(some, 1))):
                made = [
                    plant(images[row], images[donor], marks[place])
                    for row, donor, place in zip(some, donors, carrier, strict=True)
                ]
                found[int(k), name] = np.stack(made)
    return found
