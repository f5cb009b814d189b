"""The Twin System's spaces: how near two images are for the model, and where they are similar.

Kenny & Keane, Twin-Systems to Explain Artificial Neural Networks using Case-Based Reasoning
(IJCAI 2019). `SPACES` lists them: a new space is one entry, with its similarity and the map that
splits this similarity into cells, or the reason why there is none.

Where the head reads several levels, images are compared by the coarsest alone, as with one: the
features of finer ones tell scenes apart, not classes (docs/results/twins.md).
"""

from collections.abc import Callable, Collection
from typing import Literal, NamedTuple

import numpy as np

from twincam.explanations.gradcam import margin_rows
from twincam.explanations.twins.neighbours import Neighbours, nearest, nearest_between
from twincam.models.embedded import Embedded, at, coarsest
from twincam.models.levels import cell_sums
from twincam.statistics.margins import margin_classes
from twincam.statistics.vectors import unit

PAIRS, MOST_REFERENCES = 200_000, 2_000
"""The most pairs, and the most references, that are compared cell by cell."""

Comparison = Callable[[Embedded, Embedded, np.ndarray], np.ndarray]
"""Of queries, references and the head's weight ``[K,C]``."""


class Space(NamedTuple):
    """One way to compare images.

    ``similarity`` takes queries (Q images), references (T) and the head's weight ``[K,C]``, and
    returns similarities ``[Q,T]``, larger for nearer. ``shared_map`` takes queries with their
    feature maps (N), the twin of each (N) and the weight, and returns maps ``[N,h,w]`` whose sum is
    the similarity of each pair; None if the similarity has no such map, with the reason in
    ``without_map``. ``compares`` names what both use: the model's pooled ``features``, its feature
    ``maps``, or the features of ``clip`` instead. Only spaces with ``competes`` can be chosen for
    their fidelity.
    """

    similarity: Comparison
    shared_map: Comparison | None
    without_map: str = ""
    compares: Literal["features", "maps", "clip"] = "features"
    competes: bool = True


def features_cosine(queries: Embedded, references: Embedded, _weight: np.ndarray) -> np.ndarray:
    """Return the cosine of pooled features: the original study's space."""
    return np.asarray(unit(queries.features) @ unit(references.features).T)


def features_cosine_map(queries: Embedded, twins: Embedded, _weight: np.ndarray) -> np.ndarray:
    """Return each cell's contribution to `features_cosine`.

    Zhu et al., Visual Explanation for Deep Metric Learning (IEEE TIP 2021).
    """
    ones = np.ones_like(queries.features)
    return _cosine_map(queries, twins, ones, ones)


def features_euclidean(queries: Embedded, references: Embedded, _weight: np.ndarray) -> np.ndarray:
    """Return minus the Euclidean distance of pooled features."""
    squares = (queries.features**2).sum(1)[:, None] + (references.features**2).sum(1)
    return -np.sqrt(np.maximum(squares - 2 * queries.features @ references.features.T, 0))


def features_euclidean_map(queries: Embedded, twins: Embedded, _weight: np.ndarray) -> np.ndarray:
    """Return each cell's contribution to `features_euclidean`, negative where the two differ.

    The squared distance is linear in one of its two differences of pooled features, and this in the
    query's cells.
    """
    apart = queries.features - twins.features
    unit_apart = unit(apart)
    own = cell_sums(queries.maps, unit_apart)
    other = np.einsum("nc,nc->n", twins.features, unit_apart)
    return np.asarray((other[:, None, None] - own) / own[0].size)


def contributions(queries: Embedded, references: Embedded, weight: np.ndarray) -> np.ndarray:
    """Return the cosine of contributions to each image's own predicted logit.

    COLE by Hadamard product (Kenny & Keane 2019): features times the head's row. Neighbours agree
    with the prediction almost by construction; `contributions_margin` is the control.
    """
    weighted = (
        side.features * weight[margin_classes(side.logits)[0]] for side in (queries, references)
    )
    first, second = (unit(side) for side in weighted)
    return np.asarray(first @ second.T)


def contributions_map(queries: Embedded, twins: Embedded, weight: np.ndarray) -> np.ndarray:
    """Return each cell's contribution to `contributions`."""
    own, other = (weight[margin_classes(side.logits)[0]] for side in (queries, twins))
    return _cosine_map(queries, twins, own, other)


def contributions_margin(queries: Embedded, references: Embedded, weight: np.ndarray) -> np.ndarray:
    """Return the cosine of contributions to the query's margin, on both sides."""
    rows = margin_rows(weight, queries.logits)
    across = (queries.features * rows**2) @ references.features.T
    norms = np.linalg.norm(queries.features * rows, axis=1)[:, None]
    lengths = norms * np.sqrt(rows**2 @ (references.features**2).T)
    return np.asarray(across / np.maximum(lengths, 1e-12))


def contributions_margin_map(queries: Embedded, twins: Embedded, weight: np.ndarray) -> np.ndarray:
    """Return each cell's contribution to `contributions_margin`."""
    rows = margin_rows(weight, queries.logits)
    return _cosine_map(queries, twins, rows, rows)


def maps(queries: Embedded, references: Embedded, _weight: np.ndarray) -> np.ndarray:
    """Return, averaged over the query's cells, the cosine of the reference's best match.

    The late interaction of Khattab & Zaharia (ColBERT, SIGIR 2020) between cells instead of words:
    similar parts count wherever they are in the image.
    """
    own, other = (_cells(side) for side in (queries, references))
    every = other.reshape(-1, other.shape[-1]).T
    return np.stack(
        [(one @ every).reshape(len(one), len(other), -1).max(axis=2).mean(axis=0) for one in own]
    )


def maps_map(queries: Embedded, twins: Embedded, _weight: np.ndarray) -> np.ndarray:
    """Return each cell's best match in the twin, over the number of cells."""
    n, _, height, width = queries.maps[-1].shape
    own, other = (_cells(side) for side in (queries, twins))
    best = np.einsum("nqc,ntc->nqt", own, other).max(axis=2)
    return np.asarray(best.reshape(n, height, width) / (height * width))


def _cells(side: Embedded) -> np.ndarray:
    """Return the cells of each image's maps as unit vectors, ``[N,h*w,C]``."""
    (level,) = side.maps
    return unit(level.reshape(*level.shape[:2], -1).transpose(0, 2, 1))


def _cosine_map(
    queries: Embedded, twins: Embedded, own: np.ndarray, other: np.ndarray
) -> np.ndarray:
    """Return the contribution of each of the query's cells to a cosine of weighted features,
    ``[N,h,w]``.

    The cosine is linear in the query's pooled features, so it splits into the query's cells with
    everything else fixed.

    Args:
        queries: N images with maps.
        twins: N images.
        own: what multiplies the queries' features before the cosine, ``[N,C]``.
        other: the same of the twins' features.
    """
    pull = unit(other * twins.features)
    norm = np.maximum(np.linalg.norm(own * queries.features, axis=1), 1e-12)
    heat = cell_sums(queries.maps, own * pull)
    return np.asarray(heat / norm[:, None, None] / heat[0].size)


SPACES: dict[str, Space] = {
    "features_cosine": Space(features_cosine, features_cosine_map),
    "features_euclidean": Space(features_euclidean, features_euclidean_map),
    "contributions": Space(contributions, contributions_map, competes=False),
    "contributions_margin": Space(contributions_margin, contributions_margin_map),
    "maps": Space(maps, maps_map, compares="maps"),
    "clip": Space(
        features_cosine,
        None,
        without_map="CLIP's features are not means over the classifier's cells",
        compares="clip",
        competes=False,
    ),
}
"""Every space by its name in ``explain.space``. `contributions` does not compete, since its
neighbours agree with the prediction whatever the model; nor does `clip`, which is not a space of
the model.
"""


def spaces_that_compare(kinds: Collection[str]) -> list[str]:
    """Return the names of the spaces that compare one of ``kinds``, such as ``features``."""
    return [name for name, space in SPACES.items() if space.compares in kinds]


def similarity(
    space: str, queries: Embedded, references: Embedded, weight: np.ndarray
) -> np.ndarray:
    """Return the similarity ``[Q,T]`` of each query and each reference.

    Args:
        space: a key of `SPACES`.
        queries: Q images, with maps if ``space`` compares them.
        references: T images, the same.
        weight: of the head, ``[K,C]``.
    """
    compare, own = SPACES[space].similarity, weight[:, queries.finer :]
    return compare(coarsest(queries), coarsest(references), own)


def nearest_in(
    space: str, queries: Embedded, references: Embedded, weight: np.ndarray, k: int
) -> Neighbours:
    """Return the k references nearest to each query in ``space``.

    Args:
        space: a key of `SPACES`.
        queries: Q images, with maps if ``space`` compares them.
        references: T images, the same.
        weight: of the head, ``[K,C]``.
        k: at most T.
    """
    if SPACES[space].compares == "maps":
        return nearest(similarity(space, queries, references, weight), k)
    own, other = (side._replace(maps=()) for side in (queries, references))
    return nearest_between(
        lambda rows, columns: similarity(space, at(own, rows), at(other, columns), weight),
        np.arange(len(own.logits)),
        np.arange(len(other.logits)),
        k,
    )


def shared_map(space: str, queries: Embedded, twins: Embedded, weight: np.ndarray) -> np.ndarray:
    """Return the maps ``[N,h,w]`` whose sum is the similarity of each query and its twin.

    All zero where ``space`` has none.

    Args:
        space: a key of `SPACES`.
        queries: N images with maps.
        twins: their twins, N images, as ``space`` compares them.
        weight: of the head, ``[K,C]``.
    """
    split = SPACES[space].shared_map
    if split is None:
        n, _, height, width = queries.maps[-1].shape
        return np.zeros((n, height, width), np.float32)
    return split(coarsest(queries), coarsest(twins), weight[:, queries.finer :])


def comparable(queries: int, references: int) -> bool:
    """Return whether these numbers of images are small enough to compare cell by cell."""
    return queries * references <= PAIRS and references <= MOST_REFERENCES
