"""The cells of several levels on one grid, with every mean kept.

The head reads the mean-pooled maps of one or several blocks, its levels, so whatever is linear in
the features is a sum over the cells of all levels. On a finer grid maps are interpolated between
the cells' centres, which keeps their mean; on a coarser one the cells inside one are averaged, by
the shares of their areas. A single level stays as it is, bit for bit.
"""

from functools import lru_cache

import numpy as np

from twincam.models.embedded import Maps


def cell_sums(maps: Maps, weights: np.ndarray) -> np.ndarray:
    """Return the sum of the weighted channels at each cell, ``[N,h,w]``, on the finest grid.

    Its mean over cells is the sum of the weighted features.

    Args:
        maps: of N images.
        weights: of each image's features, ``[N,C]``.
    """
    parts = by_level(weights, maps)
    pairs = zip(maps, parts, strict=True)
    finest, *others = (np.einsum("nchw,nc->nhw", level, part) for level, part in pairs)
    return sum((refined(one, finest.shape[-2:]) for one in others), start=finest)


def class_scores(maps: Maps, weight: np.ndarray) -> np.ndarray:
    """Return each cell's contribution to each logit, ``[N,K,h,w]``, on the coarsest grid.

    Their mean over cells plus the bias are the logits.

    Args:
        maps: of N images.
        weight: of the head, ``[K,C]``.
    """
    pairs = zip(maps, by_level(weight, maps), strict=True)
    *others, coarsest = (np.einsum("kc,nchw->nkhw", part, level) for level, part in pairs)
    return sum((coarsened(one, coarsest.shape[-2:]) for one in others), start=coarsest)


def by_level(weights: np.ndarray, maps: Maps) -> list[np.ndarray]:
    """Split weights of features ``[…,C]`` into those of each level."""
    ends = np.cumsum([level.shape[1] for level in maps])[:-1]
    return np.split(weights, ends, axis=-1)


def refined(maps: np.ndarray, grid: tuple[int, ...]) -> np.ndarray:
    """Return maps ``[…,h,w]`` on a finer ``grid``, bilinear between centres, with the same means.

    Where the numbers of cells divide, interpolation keeps a mean; where not, it is put right.
    """
    rows, columns = (interpolation(*pair) for pair in zip(grid, maps.shape[-2:], strict=True))
    fine = rows @ maps @ columns.T
    apart = maps.mean(axis=(-2, -1)) - fine.mean(axis=(-2, -1))
    return np.asarray(fine + apart[..., None, None])


def coarsened(maps: np.ndarray, grid: tuple[int, ...]) -> np.ndarray:
    """Return maps ``[…,h,w]`` on a coarser ``grid``, averaged by area."""
    if maps.shape[-2:] == grid:
        return maps
    rows, columns = (overlaps(*pair) for pair in zip(grid, maps.shape[-2:], strict=True))
    return np.asarray(rows @ maps @ columns.T)


@lru_cache
def interpolation(cells: int, others: int) -> np.ndarray:
    """Return, ``[cells,others]``, the weights of linear interpolation between cells' centres."""
    places, centres = ((np.arange(count) + 0.5) / count for count in (cells, others))
    weights = [np.interp(places, centres, one) for one in np.eye(others)]
    return np.stack(weights, axis=1).astype(np.float32)


@lru_cache
def overlaps(cells: int, others: int) -> np.ndarray:
    """Return, ``[cells,others]``, the share of each cell of a side that cells of another fill."""
    edges, other_edges = (np.arange(count + 1) / count for count in (cells, others))
    low = np.maximum(edges[:-1, None], other_edges[:-1])
    high = np.minimum(edges[1:, None], other_edges[1:])
    return np.asarray(np.maximum(high - low, 0) * cells, np.float32)
