"""Are decisions based on few, distinct prototypes, at places that do not change?

Images N, prototypes P, cells ``[...,2]`` as row and column. Each figure is reported with a control
that is independent of the image at hand, with a 95 % interval. The top prototype of an image is the
one that contributes most to the predicted class.
"""

from typing import Any

import numpy as np

from twincam.determinism import generator
from twincam.explanations.prototypes.contributions import LastLayer
from twincam.statistics.estimates import beside, beside_unbounded, median
from twincam.statistics.vectors import unit

CARRIED = 0.9
"""Share of the contributions that makes up a decision."""

DRAWS = 10
"""Repetitions that a random control is averaged over."""


def top_prototypes(similar: np.ndarray, layer: LastLayer, predicted: np.ndarray) -> np.ndarray:
    """Return each image's top prototype ``[N]``, one with a weight above 0 if its class has any.

    Args:
        similar: best cosine of each image and prototype, ``[N,P]``.
        layer: the weights; every class has a prototype.
        predicted: ``[N]``.
    """
    given = np.where(layer.weight > 0, similar * layer.weight, np.finfo(np.float32).min)
    return np.where(layer.owner == predicted[:, None], given, -np.inf).argmax(axis=1)


def distinctiveness(
    vectors: np.ndarray, cells: np.ndarray, labels: np.ndarray, owner: np.ndarray, seed: int
) -> dict[str, Any]:
    """Return how similar a class's prototypes are, and how often they match the same place.

    ``cosine``: each prototype's mean cosine to the others of its class, over ``cosine_n``
    prototypes, with ``cosine_other_classes``; lower is more distinct. ``coincidence``: over the
    ``coincidence_n`` images, the share of pairs of prototypes of the image's class whose best cells
    are the same or touch, with ``coincidence_other_image``, where the second prototype's cell is
    that of another image (mean of `DRAWS` repetitions). A class with one prototype has no pairs;
    without pairs, only the counts are given.

    Args:
        vectors: the live prototypes, ``[P,D]``.
        cells: of their best similarity, ``[N,P,2]``.
        labels: class indices of the images, ``[N]``.
        owner: the class of each prototype, ``[P]``.
        seed: of draws and bootstrap.
    """
    directions = unit(vectors)
    cosines, same = directions @ directions.T, owner[:, None] == owner
    paired = np.bincount(owner)[owner] > 1
    rivals = (~same).sum(axis=1)
    found: dict[str, Any] = {"cosine_n": int(paired.sum())}
    if paired.any():
        others = same & ~np.eye(len(owner), dtype=bool)
        own = (cosines * others).sum(axis=1)[paired] / others.sum(axis=1)[paired]
        apart = (cosines * ~same).sum(axis=1)[paired] / np.maximum(rivals[paired], 1)
        controls = {"other_classes": apart} if rivals.any() else {}
        found |= beside_unbounded("cosine", own, controls, seed)
    close, by_chance = [np.zeros(0)], [np.zeros(0)]
    for name in np.unique(owner[paired]):
        chosen = cells[labels == name][:, owner == name]
        if len(chosen) > 1:
            close.append(_coincide(chosen, chosen))
            draws = [_coincide(chosen, chosen[order]) for order in _others(len(chosen), seed, name)]
            by_chance.append(np.mean(draws, axis=0))
    pairs = np.concatenate(close)
    found["coincidence_n"] = len(pairs)
    if len(pairs):
        found |= beside("coincidence", pairs, {"other_image": np.concatenate(by_chance)}, seed)
    return found


def sparsity(
    similar: np.ndarray, layer: LastLayer, predicted: np.ndarray, seed: int
) -> dict[str, Any]:
    """Return how many prototypes carry `CARRIED` of the contributions to the predicted class.

    ``carriers_median`` with the interval of its order statistics; ``carriers_share``, the mean
    share of the class's live prototypes that they are, with ``carriers_share_even``, its value if
    all contributed equally. A negative similarity counts as none. Images without any contribution
    to their class are not counted in ``carriers_n``.

    Args:
        similar: best cosine of each image and prototype, ``[N,P]``.
        layer: the weights.
        predicted: ``[N]``.
        seed: of the bootstrap.
    """
    own = (layer.owner == predicted[:, None]) & (layer.weight > 0)
    given = np.where(own, np.maximum(similar * layer.weight, 0), 0).astype(float)
    some = given.sum(axis=1) > 0
    if not some.any():
        return {"carriers_n": 0}
    given, live = given[some], own[some].sum(axis=1)
    sums = -np.sort(-given, axis=1).cumsum(axis=1)
    needed = (sums < CARRIED * sums[:, -1:] * (1 - 1e-9)).sum(axis=1) + 1
    even = np.ceil(CARRIED * live * (1 - 1e-9))
    return {
        "carriers_n": len(needed),
        "carriers_median": median(needed),
        **beside("carriers_share", needed / live, {"even": even / live}, seed),
    }


def kept_figures(
    what: str,
    top: np.ndarray,
    top_again: np.ndarray,
    cells: np.ndarray,
    cells_again: np.ndarray,
    seed: int,
) -> dict[str, Any]:
    """Return how often a decision stays the same after ``what``, such as re-compression.

    ``<what>_same_prototype``: the top prototype stays the same. ``<what>_same_cell``: the cell of
    the original one stays or moves to a neighbour. ``<what>_same``: both. Controls:
    ``other_image``, another image instead of the same one again (mean of `DRAWS` repetitions). A
    constant cell would always stay. With fewer than two images, only ``<what>_n`` is given.

    Args:
        what: the change, as a prefix of the names.
        top: each image's top prototype, ``[N]``.
        top_again: the same afterwards.
        cells: of every prototype's best similarity, ``[N,P,2]``.
        cells_again: the same afterwards.
        seed: of draws and bootstrap.
    """
    n = len(top)
    if n < 2:
        return {f"{what}_n": n}
    each = np.arange(n)

    def kept(order: np.ndarray) -> np.ndarray:
        prototype = top_again[order] == top
        cell = _touch(cells_again[order, top], cells[each, top])
        return np.stack([prototype, cell, prototype & cell]).astype(float)

    own = kept(each)
    control = np.mean([kept(order) for order in _others(n, seed, what)], axis=0)
    found: dict[str, Any] = {f"{what}_n": n}
    for name, values, chance in zip(("_prototype", "_cell", ""), own, control, strict=True):
        found |= beside(f"{what}_same{name}", values, {"other_image": chance}, seed)
    return found


def _touch(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return np.asarray(np.abs(first - second).max(axis=-1) <= 1)


def _coincide(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return, ``[N]``, the share of pairs whose cells ``[N,Q,2]`` are the same or touch."""
    count = first.shape[1]
    touch = _touch(first[:, :, None], second[:, None])
    apart = ~np.eye(count, dtype=bool)
    return np.asarray(touch[:, apart].mean(axis=1))


def _others(n: int, seed: int, *names: object) -> list[np.ndarray]:
    """Return `DRAWS` orders ``[n]`` in which none of n images, at least 2, is at its own place."""
    orders = []
    for draw in range(DRAWS):
        ring = generator(seed, "other images", *names, draw).permutation(n)
        order = np.empty(n, int)
        order[ring] = np.roll(ring, 1)
        orders.append(order)
    return orders
