"""What would have to change: the fewest cells of another image that turn the prediction.

The network ends in average pooling and a linear head, so a cell's part in a logit is a number, its
score, and replacing cells by those of an image predicted otherwise is exact arithmetic (Goyal et
al., Counterfactual Visual Explanations, ICML 2019, search the same swaps). Exact holds in feature
space alone: what a cell sees reaches beyond its square, so the same squares are pasted into the
image and judged again, beside controls that know nothing of what was found.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy.ndimage import distance_transform_edt
from scipy.stats import hypergeom

from stages.explain.truth import targets
from twincam.determinism import generator
from twincam.explanations.maps import shows_place
from twincam.statistics.intervals import (
    median_with_interval,
    paired_difference,
    share_with_interval,
)

Judge = Callable[[np.ndarray], np.ndarray]
"""The network: bytes ``[B,S,S,3]`` to logits ``[B,K]``."""

MARGIN = 6 / 224
"""By how much of the image's side a region is pasted beyond its mask."""

BATCH, DRAWS = 32, 5
"""Images at a time; random draws that a control is the mean of."""

ROLLS = ((0.5, 0.0), (0.0, 0.5), (0.5, 0.5))
"""Where a region's control lies, in sides of the image down and to the right."""


class Swap(NamedTuple):
    """Cells to replace, bool ``[Q,h,w]``; how many, ``[Q]``; and the class then predicted."""

    cells: np.ndarray
    needed: np.ndarray
    reached: np.ndarray


def minimal_swap(query_scores: np.ndarray, partner_scores: np.ndarray, bias: np.ndarray) -> Swap:
    """Return the smallest set of cells whose swap turns each query's prediction.

    A swapped cell takes the partner's score at the same place. Against one rival class the swaps
    sorted by what they take from the predicted class's lead are minimal, as their effects add up;
    against several the minimum over the rivals is. Of rivals that need equally few, the one that
    gets furthest ahead is taken, and is the class reached.

    Args:
        query_scores: the head's weight times the last feature maps, ``[Q,K,h,w]``; K at least 2.
        partner_scores: the same of an image predicted otherwise for each query. The swap of all
            cells is the partner: where one is predicted as its query, all are swapped in vain.
        bias: of the head, ``[K]``.
    """
    n, _, height, width = query_scores.shape
    query = query_scores.reshape(*query_scores.shape[:2], -1).astype(np.float64)
    partner = partner_scores.reshape(query.shape).astype(np.float64)
    cells, rows = height * width, np.arange(n)
    logits = query.mean(axis=2) + bias
    predicted = logits.argmax(axis=1)
    lead = logits[rows, predicted][:, None] - logits
    loss = query - partner
    taken = (loss[rows, predicted][:, None] - loss) / cells  # [Q,K,cells]
    order = np.argsort(-taken, axis=2, kind="stable")
    ahead = np.take_along_axis(taken, order, axis=2).cumsum(axis=2) - lead[:, :, None]
    turned = ahead > 0
    needed = np.where(turned.any(axis=2), turned.argmax(axis=2), cells - 1)
    fewest = needed.min(axis=1)
    excess = np.where(needed == fewest[:, None], ahead[rows, :, fewest], -np.inf)
    rival = excess.argmax(axis=1)
    chosen = np.zeros((n, cells), bool)
    first = np.arange(cells) <= fewest[:, None]
    np.put_along_axis(chosen, order[rows, rival], first, axis=1)
    swapped = np.where(chosen[:, None], partner, query).mean(axis=2) + bias
    return Swap(chosen.reshape(n, height, width), fewest + 1, swapped.argmax(axis=1))


def cell_pixels(cells: np.ndarray, size: int) -> np.ndarray:
    """Return, bool ``[Q,S,S]``, the squares of cells ``[Q,h,w]`` in an image of ``size`` pixels.

    Cell (i,j) covers the rows from i S/h to below (i+1) S/h, and columns alike.
    """
    height, width = cells.shape[1:]
    pixel = np.arange(size)
    return np.asarray(cells[:, pixel * height // size][:, :, pixel * width // size])


def touched(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return, bool ``[N,h,w]``, the cells whose squares hold any of ``pixels`` ``[N,S,S]``."""
    size = pixels.shape[-1]
    tops, lefts = (-(-np.arange(cells) * size // cells) for cells in (height, width))
    rows = np.logical_or.reduceat(pixels, tops, axis=1)
    return np.asarray(np.logical_or.reduceat(rows, lefts, axis=2))


def paste_cells(images: np.ndarray, partners: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """Return ``images`` ``[B,S,S,3]`` with the squares of ``cells`` ``[B,h,w]`` of ``partners``."""
    return _paste(images, partners, cell_pixels(cells, images.shape[1]))


def paste_region(
    images: np.ndarray, partners: np.ndarray, masks: np.ndarray, margin: float = MARGIN
) -> np.ndarray:
    """Return ``images`` with the region of ``masks`` and ``margin`` around it from ``partners``.

    Args:
        images: bytes ``[B,S,S,3]``.
        partners: the same.
        masks: ``[B,S,S]``; an empty one pastes nothing.
        margin: in sides of the image, Euclidean.
    """
    return _paste(images, partners, _grown(masks, margin))


def _paste(images: np.ndarray, partners: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    return np.where(pixels[..., None], partners, images)


def _grown(masks: np.ndarray, margin: float) -> np.ndarray:
    reach = margin * masks.shape[-1]
    far = [distance_transform_edt(mask == 0) <= reach for mask in masks]
    return np.stack(far) & masks.any(axis=(1, 2), keepdims=True)


def random_cells(cells: np.ndarray, seed: int, *names: object) -> np.ndarray:
    """Return, for each image, as many random cells as ``cells`` ``[Q,h,w]`` has."""
    keys = generator(seed, "random cells", *names).random((len(cells), cells[0].size))
    rank = keys.argsort(axis=1).argsort(axis=1)
    return (rank < cells.sum(axis=(1, 2))[:, None]).reshape(cells.shape)


def flip_figures(
    judge: Judge,
    images: np.ndarray,
    queries: np.ndarray,
    partners: np.ndarray,
    swap: Swap,
    predicted: np.ndarray,
    seed: int,
) -> dict[str, Any]:
    """Return how few cells are swapped, and whether the same squares turn the image itself.

    ``n`` images; ``cells_median`` with the interval of its order statistics; ``image_flip_rate``,
    the share whose prediction leaves its class once the squares are pasted, with Wilson's interval;
    ``image_flip_rate_random``, the same for as many random cells, mean of `DRAWS` draws; and
    ``image_flip_rate_over_random``, their paired difference. Without images ``n`` alone. Costs
    1 + `DRAWS` judgements an image.

    Args:
        judge: the network.
        images: bytes ``[M,S,S,3]``, read a batch at a time.
        queries: rows in ``images``, ``[Q]``.
        partners: rows in ``images`` of each query's partner, ``[Q]``.
        swap: of the same queries and partners.
        predicted: class of each query as it is, ``[Q]``.
        seed: of the random cells and the bootstrap.
    """
    n = len(queries)
    if not n:
        return {"n": 0}

    def flips(cells: np.ndarray) -> np.ndarray:
        def pasted(part: slice) -> np.ndarray:
            return paste_cells(images[queries[part]], images[partners[part]], cells[part])

        return _flipped(judge, pasted, predicted)

    hits = flips(swap.cells)
    draws = [flips(random_cells(swap.cells, seed, draw)) for draw in range(DRAWS)]
    chance = np.mean(draws, axis=0)
    return {
        "n": n,
        **median_with_interval("cells_median", swap.needed),
        **share_with_interval("image_flip_rate", hits),
        **share_with_interval("image_flip_rate_random", chance),
        "image_flip_rate_over_random": paired_difference(hits, chance, seed, "image flips"),
    }


def _flipped(
    judge: Judge, changed: Callable[[slice], np.ndarray], predicted: np.ndarray
) -> np.ndarray:
    """Return, bool ``[Q]``, whether the prediction of each changed image is not ``predicted``."""
    parts = [slice(start, start + BATCH) for start in range(0, len(predicted), BATCH)]
    return np.concatenate(
        [judge(changed(part)).argmax(axis=1) != predicted[part] for part in parts]
    )


def defect_figures(cells: np.ndarray, masks: np.ndarray, seed: int) -> dict[str, Any]:
    """Return how often the swapped cells lie where the images are known to be defective.

    A cell lies on the defect if its square holds a pixel within the pointing game's tolerance of
    the mask; an image counts if at least half of its swapped cells do. Controls, each with the
    paired difference: ``random``, as many random cells (in expectation); ``other_image``, the cells
    chosen for another image (mean over all others), which know where defects are wont to lie.

    Args:
        cells: those swapped, ``[N,h,w]``, at least one each.
        masks: ``[N,S,S]``, empty where nothing is known; those images are left out, and with fewer
            than two others, or a single cell to each image, only ``cells_on_defect_n`` is given.
        seed: of the bootstrap.
    """
    known = masks.any(axis=(1, 2))
    n = int(known.sum())
    if n < 2 or not shows_place(cells):
        return {"cells_on_defect_n": n}
    chosen = cells[known]
    near = touched(targets(masks[known]), *cells.shape[1:]).reshape(n, -1)
    chosen = chosen.reshape(n, -1)
    count = chosen.sum(axis=1)
    on = 2 * (near.astype(int) @ chosen.T.astype(int)) >= count  # [mask, cells]
    hits = np.diag(on)
    controls = {
        "random": hypergeom.sf((count + 1) // 2 - 1, near.shape[1], near.sum(axis=1), count),
        "other_image": (on.sum(axis=1) - hits) / (n - 1),
    }
    metrics: dict[str, Any] = {
        "cells_on_defect_n": n,
        **share_with_interval("cells_on_defect", hits),
    }
    for name, control in controls.items():
        metrics |= share_with_interval(f"cells_on_defect_{name}", control)
        over = paired_difference(hits, control, seed, "cells on defect", name)
        metrics[f"cells_on_defect_over_{name}"] = over
    return metrics


def region_figures(
    judge: Judge,
    images: np.ndarray,
    queries: np.ndarray,
    true_partners: np.ndarray,
    masks: np.ndarray,
    predicted: np.ndarray,
    seed: int,
) -> dict[str, Any]:
    """Return how often mending the defect itself turns the prediction.

    ``region_flip_rate`` pastes the defect's region from the partner that lacks it, and
    ``region_flip_rate_rolled`` the same shape elsewhere, mean of `ROLLS` (a shape that leaves the
    image comes in again on the other side): what pasting by itself does. ``region_n`` images;
    without any that figure alone. Costs 1 + 3 judgements an image.

    Args:
        judge: the network.
        images: bytes ``[M,S,S,3]``, read a batch at a time.
        queries: rows in ``images`` of images with a defect, ``[N]``.
        true_partners: rows in ``images`` of the same scenes without it, ``[N]``.
        masks: of the defects, ``[N,S,S]``, none empty.
        predicted: class of each query as it is, ``[N]``.
        seed: of the bootstrap.
    """
    n, size = masks.shape[:2]
    if not n:
        return {"region_n": 0}

    def flips(down: float, right: float) -> np.ndarray:
        def pasted(part: slice) -> np.ndarray:
            shift = (round(down * size), round(right * size))
            regions = np.roll(masks[part], shift, axis=(1, 2))
            return paste_region(images[queries[part]], images[true_partners[part]], regions)

        return _flipped(judge, pasted, predicted)

    hits = flips(0, 0)
    rolled = np.mean([flips(*roll) for roll in ROLLS], axis=0)
    return {
        "region_n": n,
        **share_with_interval("region_flip_rate", hits),
        **share_with_interval("region_flip_rate_rolled", rolled),
        "region_flip_rate_over_rolled": paired_difference(hits, rolled, seed, "region flips"),
    }


def semifactuals(
    similarity_query: np.ndarray,
    similarity_partner: np.ndarray,
    partners: np.ndarray,
    allowed: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the index and similarity, ``[Q]`` each, of the image that says "even if".

    Of the training images predicted as the query is, the one most like its counterfactual that is
    still nearer to the query than the counterfactual: even that far the prediction stands (Nugent,
    Doyle & Cunningham, JIIS 2009; Kenny & Keane, AAAI 2021). Index -1 and similarity NaN where
    there is none.

    Args:
        similarity_query: of queries and training images, ``[Q,T]``.
        similarity_partner: of each query's counterfactual and training images, ``[Q,T]``.
        partners: index of the counterfactual among the training images, ``[Q]``; -1 is none.
        allowed: bool ``[Q,T]``, whether a training image is predicted as the query is.
    """
    rows = np.arange(len(partners))
    nearer = similarity_query > similarity_query[rows, partners][:, None]
    ranked = np.where(allowed & nearer, similarity_partner, -np.inf)
    found = ranked.argmax(axis=1)
    some = (partners >= 0) & (ranked[rows, found] > -np.inf)
    return np.where(some, found, -1), np.where(some, similarity_query[rows, found], np.nan)
