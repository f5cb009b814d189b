"""What would have to change: the fewest cells of another image that turn the prediction.

The network ends in average pooling and a linear head, so a cell's part in a logit is a number, its
score, and replacing cells by those of an image predicted otherwise is exact arithmetic (Goyal et
al., Counterfactual Visual Explanations, ICML 2019, search the same swaps). Exact holds in feature
space alone: the receptive field of a cell is larger than its square, so that the same squares,
pasted into the image, have to be judged again.
"""

from typing import NamedTuple

import numpy as np
from scipy.ndimage import distance_transform_edt

from twincam.determinism import generator
from twincam.explanations.maps import pixels_of_cells

MARGIN = 6 / 224
"""By how much of the image's side a region is pasted wider than its mask."""


class Swap(NamedTuple):
    """Cells to replace, bool ``[N,h,w]``; how many, ``[N]``; and the class then predicted."""

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
        query_scores: the head's weight times the last feature maps, ``[N,K,h,w]``; K at least 2.
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
    """Return, for each image, as many random cells as ``cells`` ``[N,h,w]`` has."""
    keys = generator(seed, "random cells", *names).random((len(cells), cells[0].size))
    rank = keys.argsort(axis=1).argsort(axis=1)
    return (rank < cells.sum(axis=(1, 2))[:, None]).reshape(cells.shape)


def semifactuals(
    similarity_query: np.ndarray,
    similarity_partner: np.ndarray,
    partners: np.ndarray,
    allowed: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the index and similarity, ``[Q]`` each, of the image that says "even if".

    Of the reference images predicted as the query is, the one most like its counterfactual that is
    still nearer to the query than the counterfactual: even that far the prediction stands (Nugent,
    Doyle & Cunningham, JIIS 2009; Kenny & Keane, AAAI 2021). Index -1 and similarity NaN where
    there is none.

    Args:
        similarity_query: of queries and references, ``[Q,T]``.
        similarity_partner: of each query's counterfactual and references, ``[Q,T]``.
        partners: index of the counterfactual among the references, ``[Q]``; -1 is none.
        allowed: bool ``[Q,T]``, whether a reference is predicted as the query is.
    """
    rows = np.arange(len(partners))
    nearer = similarity_query > similarity_query[rows, partners][:, None]
    ranked = np.where(allowed & nearer, similarity_partner, -np.inf)
    found = ranked.argmax(axis=1)
    some = (partners >= 0) & (ranked[rows, found] > -np.inf)
    return np.where(some, found, -1), np.where(some, similarity_query[rows, found], np.nan)
