"""What would have to change: the fewest cells of another image that flip the prediction.

The network ends in average pooling and a linear head, so a cell's contribution to a logit is a
number, its score, and replacing cells by those of an image with another predicted class is exact
arithmetic (Goyal et al., Counterfactual Visual Explanations, ICML 2019, search the same swaps).
It is exact in feature space only: the receptive field of a cell is larger than its square, so the
image with the same squares pasted in has to be classified again.
"""

from typing import NamedTuple

import numpy as np

from twincam.explanations.maps import pixels_of_cells

MARGIN = 6 / 224
"""Width of the margin pasted around a region's mask, as a share of the image's side."""


class Swap(NamedTuple):
    """Cells to replace, bool ``[N,h,w]``; how many, ``[N]``; and the class then predicted."""

    cells: np.ndarray
    needed: np.ndarray
    reached: np.ndarray


def minimal_swap(query_scores: np.ndarray, partner_scores: np.ndarray, bias: np.ndarray) -> Swap:
    """Return the smallest set of cells whose swap flips each query's prediction.

    A swapped cell takes the partner's score at the same position. Against one rival class, swapping
    cells in order of how much they reduce the predicted class's lead is minimal, as their effects
    add up; against several, the minimum over the rivals is taken. Among rivals that need equally
    few, the one that gets furthest ahead is the class reached.

    Args:
        query_scores: each cell's contribution to each logit, ``[N,K,h,w]``; K at least 2
            (`class_scores` in `twincam.models.levels`: of the coarsest cells if there are several
            levels; swapping one then swaps what lies in it at every level).
        partner_scores: the same for each query's partner, an image with another predicted class.
            Swapping all cells gives the partner: if it has the query's predicted class, all are
            swapped without effect.
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
    taken = (loss[rows, predicted][:, None] - loss) / cells  # [N,K,cells]
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


def paste_cells(images: np.ndarray, partners: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """Return ``images`` ``[B,S,S,3]`` with the squares of ``cells`` ``[B,h,w]`` of ``partners``."""
    return _paste(images, partners, pixels_of_cells(cells, images.shape[1]))


def paste_region(
    images: np.ndarray, partners: np.ndarray, masks: np.ndarray, margin: float = MARGIN
) -> np.ndarray:
    """Return ``images`` with the region of ``masks`` and ``margin`` around it from ``partners``.

    Args:
        images: bytes ``[B,S,S,3]``.
        partners: the same.
        masks: ``[B,S,S]``; for an empty one nothing is pasted.
        margin: as a share of the image's side, Euclidean.
    """
    return _paste(images, partners, _grown(masks, margin))


def _paste(images: np.ndarray, partners: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    return np.where(pixels[..., None], partners, images)


def _grown(masks: np.ndarray, margin: float) -> np.ndarray:
    from scipy.ndimage import distance_transform_edt

    reach = margin * masks.shape[-1]
    far = [distance_transform_edt(mask == 0) <= reach for mask in masks]
    return np.stack(far) & masks.any(axis=(1, 2), keepdims=True)


def random_cells(cells: np.ndarray, seed: int, *names: object) -> np.ndarray:
    """Return, for each image, as many random cells as ``cells`` ``[N,h,w]`` has."""
    from twincam.determinism import generator

    keys = generator(seed, "random cells", *names).random((len(cells), cells[0].size))
    rank = keys.argsort(axis=1).argsort(axis=1)
    return (rank < cells.sum(axis=(1, 2))[:, None]).reshape(cells.shape)
