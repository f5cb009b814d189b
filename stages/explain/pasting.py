"""The effect of swaps and repairs pasted into the image, and their agreement with masks.

Every figure is reported with a control that does not use the explanation.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import hypergeom

from twincam.explanations.counterfactuals import Swap, paste_cells, paste_region, random_cells
from twincam.explanations.localisation import cells_near, of_other_images
from twincam.explanations.maps import shows_place
from twincam.files.shards import Rows
from twincam.statistics.estimates import difference, median, share

Classify = Callable[[np.ndarray], np.ndarray]
"""The network: bytes ``[B,S,S,3]`` to logits ``[B,K]``."""

PASTED, DRAWS = 32, 5
"""Images pasted at a time; repetitions that a random control is averaged over."""

ROLLS = ((0.5, 0.0), (0.0, 0.5), (0.5, 0.5))
"""Offsets of a region's control down and to the right, as shares of the image's side."""


class Pairs(NamedTuple):
    """Rows of images ``[N]`` and of their partners, and the predicted classes."""

    queries: np.ndarray
    partners: np.ndarray
    predicted: np.ndarray


def pasted_flips(classify: Classify, images: Rows, pairs: Pairs, cells: np.ndarray) -> np.ndarray:
    """Return, bool ``[N]``, whether pasting the squares of ``cells`` changes the prediction.

    Args:
        classify: the network.
        images: bytes ``[M,S,S,3]``, read a batch at a time.
        pairs: N images and their counterfactuals.
        cells: bool ``[N,h,w]``.
    """
    if not len(pairs.queries):
        return np.zeros(0, bool)

    def pasted(part: slice) -> np.ndarray:
        own, partner = (images[rows[part]] for rows in (pairs.queries, pairs.partners))
        return paste_cells(own, partner, cells[part])

    return _flipped(classify, pasted, pairs.predicted)


def flip_figures(
    classify: Classify,
    images: Rows,
    pairs: Pairs,
    swap: Swap,
    hits: np.ndarray,
    seed: int,
) -> dict[str, Any]:
    """Return how few cells are swapped, and whether the same squares flip the image's prediction.

    ``n`` images; ``cells_median`` with the interval of its order statistics; ``image_flip_rate``,
    the share whose predicted class changes when the squares are pasted; its control
    ``image_flip_rate_random``, the same for as many random cells, mean of `DRAWS` repetitions; and
    ``image_flip_rate_over_random``, their paired difference. Without images, only ``n``. Takes
    `DRAWS` forward passes per image.

    Args:
        classify: the network.
        images: bytes ``[M,S,S,3]``, read a batch at a time.
        pairs: N images and their counterfactuals.
        swap: of the same images.
        hits: `pasted_flips` of the swap.
        seed: of the random cells and the bootstrap.
    """
    n = len(pairs.queries)
    if not n:
        return {"n": 0}

    drawn = (random_cells(swap.cells, seed, draw) for draw in range(DRAWS))
    chance = np.mean([pasted_flips(classify, images, pairs, cells) for cells in drawn], axis=0)
    return {
        "n": n,
        "cells_median": median(swap.needed),
        "image_flip_rate": share(hits),
        "image_flip_rate_random": share(chance),
        "image_flip_rate_over_random": difference(hits, chance, seed, "image flips"),
    }


def _flipped(
    classify: Classify, changed: Callable[[slice], np.ndarray], predicted: np.ndarray
) -> np.ndarray:
    """Return, bool ``[N]``, whether each changed image's prediction differs from ``predicted``."""
    parts = [slice(start, start + PASTED) for start in range(0, len(predicted), PASTED)]
    return np.concatenate(
        [classify(changed(part)).argmax(axis=1) != predicted[part] for part in parts]
    )


def defect_figures(cells: np.ndarray, masks: np.ndarray, seed: int) -> dict[str, Any]:
    """Return how often the swapped cells lie on known defects.

    A cell lies on the defect if its square holds a pixel within the pointing game's tolerance of
    the mask; an image counts if at least half of its swapped cells do. Controls, each with the
    paired difference: ``random``, as many random cells (in expectation); ``other_image``, the cells
    chosen for another image (mean over all others), which reflect where defects usually lie.

    Args:
        cells: those swapped, ``[N,h,w]``, at least one each.
        masks: ``[N,S,S]``, empty where no defect is known; those images do not count. With fewer
            than two others, or a single cell per image, only ``cells_on_defect_n`` is given.
        seed: of the bootstrap.
    """
    masked = masks.any(axis=(1, 2))
    n = int(masked.sum())
    if n < 2 or not shows_place(cells):
        return {"cells_on_defect_n": n}
    near = cells_near(masks[masked], *cells.shape[1:]).reshape(n, -1)
    chosen = cells[masked].reshape(n, -1)
    count = chosen.sum(axis=1)
    on = 2 * (near.astype(int) @ chosen.T.astype(int)) >= count  # [mask,cells]
    hits = np.diag(on)
    controls = {
        "random": hypergeom.sf((count + 1) // 2 - 1, near.shape[1], near.sum(axis=1), count),
        "other_image": of_other_images(on),
    }
    figures: dict[str, Any] = {"cells_on_defect_n": n, "cells_on_defect": share(hits)}
    for name, control in controls.items():
        figures[f"cells_on_defect_{name}"] = share(control)
        over = difference(hits, control, seed, "cells on defect", name)
        figures[f"cells_on_defect_over_{name}"] = over
    return figures


def region_figures(
    classify: Classify, images: Rows, pairs: Pairs, masks: np.ndarray, seed: int
) -> dict[str, Any]:
    """Return how often repairing the defect itself flips the prediction.

    ``region_flip_rate`` pastes the defect's region from the partner that lacks it, and
    ``region_flip_rate_rolled`` the same shape elsewhere, mean of `ROLLS` (wrapped around at the
    border): the effect of pasting itself. ``region_n`` images; without any, only that figure. Takes
    1 + 3 forward passes per image.

    Args:
        classify: the network.
        images: bytes ``[M,S,S,3]``, read a batch at a time.
        pairs: N images with a defect, and the same scenes without it.
        masks: of the defects, ``[N,S,S]``, none empty.
        seed: of the bootstrap.
    """
    n, size = masks.shape[:2]
    if not n:
        return {"region_n": 0}

    def flips(down: float, right: float) -> np.ndarray:
        def pasted(part: slice) -> np.ndarray:
            shift = (round(down * size), round(right * size))
            regions = np.roll(masks[part], shift, axis=(1, 2))
            own, partner = (images[rows[part]] for rows in (pairs.queries, pairs.partners))
            return paste_region(own, partner, regions)

        return _flipped(classify, pasted, pairs.predicted)

    hits = flips(0, 0)
    rolled = np.mean([flips(*roll) for roll in ROLLS], axis=0)
    return {
        "region_n": n,
        "region_flip_rate": share(hits),
        "region_flip_rate_rolled": share(rolled),
        "region_flip_rate_over_rolled": difference(hits, rolled, seed, "region flips"),
    }
