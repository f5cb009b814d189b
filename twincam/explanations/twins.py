"""The Twin System: the training images nearest to a case in a space the model itself spans.

Kenny & Keane, Twin-Systems to Explain Artificial Neural Networks using Case-Based Reasoning
(IJCAI 2019): a twin explains in so far as its neighbourhood follows the model, which `fidelity`
measures.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from twincam.explanations.gradcam import margin_classes, margin_rows, margins
from twincam.models.embedded import Embedded
from twincam.statistics.intervals import mean_with_interval, share_with_interval
from twincam.statistics.ranking import auc

ASKED = 5
"""Neighbours whose vote and margin a space is judged by."""

PAIRS, MOST_KNOWN = 200_000, 2_000
"""At most so many pairs, of at most so many training images, are compared cell by cell."""

Similarity = Callable[[Embedded, Embedded, np.ndarray], np.ndarray]


def unit(vectors: np.ndarray) -> np.ndarray:
    """Scale the last axis to length 1; zeros stay."""
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12))


def features_cosine(query: Embedded, known: Embedded, _weight: np.ndarray) -> np.ndarray:
    """Return the cosine of pooled features: the original study's space."""
    return np.asarray(unit(query.features) @ unit(known.features).T)


def features_euclidean(query: Embedded, known: Embedded, _weight: np.ndarray) -> np.ndarray:
    """Return minus the Euclidean distance of pooled features."""
    squares = (query.features**2).sum(1)[:, None] + (known.features**2).sum(1)
    return -np.sqrt(np.maximum(squares - 2 * query.features @ known.features.T, 0))


def contributions(query: Embedded, known: Embedded, weight: np.ndarray) -> np.ndarray:
    """Return the cosine of contributions to each image's own predicted logit.

    COLE by Hadamard product (Kenny & Keane 2019): features times the head's row. Neighbours agree
    with the prediction almost by construction; `contributions_margin` is the control.
    """
    weighted = (side.features * weight[margin_classes(side.logits)[0]] for side in (query, known))
    first, second = (unit(side) for side in weighted)
    return np.asarray(first @ second.T)


def contributions_margin(query: Embedded, known: Embedded, weight: np.ndarray) -> np.ndarray:
    """Return the cosine of contributions to the query's margin, on both sides."""
    rows = margin_rows(weight, query.logits)
    across = (query.features * rows**2) @ known.features.T
    norms = np.linalg.norm(query.features * rows, axis=1)[:, None]
    return np.asarray(across / np.maximum(norms * np.sqrt(rows**2 @ (known.features**2).T), 1e-12))


def maps(query: Embedded, known: Embedded, _weight: np.ndarray) -> np.ndarray:
    """Return, averaged over the query's cells, the cosine of the training image's best match.

    The late interaction of Khattab & Zaharia (ColBERT, SIGIR 2020) between cells instead of words:
    likeness counts wherever in the picture it stands.
    """
    cells = [
        unit(side.maps.reshape(*side.maps.shape[:2], -1).transpose(0, 2, 1))
        for side in (query, known)
    ]
    every = cells[1].reshape(-1, cells[1].shape[-1]).T
    return np.stack(
        [
            (one @ every).reshape(len(one), len(known.maps), -1).max(axis=2).mean(axis=0)
            for one in cells[0]
        ]
    )


SPACES: dict[str, Similarity] = {
    "features_cosine": features_cosine,
    "features_euclidean": features_euclidean,
    "contributions": contributions,
    "contributions_margin": contributions_margin,
    "maps": maps,
}
"""Each takes queries (Q), training images (T) and the head's weight ``[K,C]``, and returns
similarities ``[Q,T]``, larger for nearer."""

BY_CONSTRUCTION = ("contributions",)
"""Spaces whose neighbours agree with the prediction whatever the model is like."""


def similarities(query: Embedded, known: Embedded, weight: np.ndarray) -> dict[str, np.ndarray]:
    """Return the similarities ``[Q,T]`` by space; `maps` is left out where there are none."""
    return {
        name: measure(query, known, weight)
        for name, measure in SPACES.items()
        if name != "maps" or len(query.maps)
    }


def comparable(queries: int, known: int) -> bool:
    """Return whether so many images are few enough to be compared cell by cell."""
    return queries * known <= PAIRS and known <= MOST_KNOWN


def nearest(
    similarity: np.ndarray, k: int, allowed: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return indices and similarities ``[Q,k]`` of the k nearest, the nearest first.

    Args:
        similarity: ``[Q,T]``.
        k: at most T; ties go to the earlier image.
        allowed: bool ``[Q,T]``; where fewer than k are allowed, the rest is index -1 and
            similarity NaN.
    """
    k = min(k, similarity.shape[1])
    ranked = similarity if allowed is None else np.where(allowed, similarity, -np.inf)
    indices = np.argsort(-ranked, axis=1, kind="stable")[:, :k]
    values = np.take_along_axis(ranked, indices, axis=1)
    return np.where(np.isneginf(values), -1, indices), np.where(np.isneginf(values), np.nan, values)


def vote(labels: np.ndarray) -> np.ndarray:
    """Return the most frequent label ``[Q]`` among neighbours' ``[Q,k]``; ties go to the nearest's.

    Args:
        labels: class indices, the nearest first.
    """
    counts = (labels[:, :, None] == labels[:, None, :]).sum(axis=2)
    return np.asarray(np.take_along_axis(labels, counts.argmax(axis=1)[:, None], axis=1)[:, 0])


def fidelity(
    similarity: np.ndarray, query: Embedded, known: Embedded, labels: np.ndarray
) -> pd.DataFrame:
    """Return how the `ASKED` nearest training images follow the model, a row for each query.

    ``agrees``: their vote is the prediction. ``disagreement``: the share of them labelled
    otherwise. ``margin``: the query's; ``neighbours_margin``: the mean of theirs, between the same
    two classes; ``chance_margin``: the mean of all training images'.

    Args:
        similarity: ``[Q,T]``.
        query: the queries.
        known: the training images.
        labels: of the training images, class indices ``[T]``.
    """
    predicted, rival = margin_classes(query.logits)
    near, _ = nearest(similarity, ASKED)
    between = known.logits[:, predicted] - known.logits[:, rival]  # [T,Q]
    return pd.DataFrame(
        {
            "agrees": vote(labels[near]) == predicted,
            "disagreement": (labels[near] != predicted[:, None]).mean(axis=1),
            "margin": margins(query.logits),
            "neighbours_margin": np.take_along_axis(between.T, near, axis=1).mean(axis=1),
            "chance_margin": between.mean(axis=0),
        }
    )


def fidelity_figures(table: pd.DataFrame, wrong: np.ndarray, seed: int) -> dict[str, Any]:
    """Return the figures of a space from its rows of `fidelity`, with 95 % intervals.

    ``agreement``: share of queries whose neighbours vote as the model predicts. ``margin_mae``:
    mean absolute error, in logits, of the neighbours' mean margin as an estimate of the query's,
    beside that of the mean of all training images. ``disagreement_auroc``: how well the share of
    disagreeing neighbours ranks wrong predictions above right ones; left out where all or none
    are wrong.

    Args:
        table: of `fidelity`.
        wrong: bool ``[Q]``, whether the prediction is.
        seed: of the bootstrap.
    """
    margin, near, chance_margin = (
        table[name].to_numpy(float) for name in ("margin", "neighbours_margin", "chance_margin")
    )
    error, chance = np.abs(near - margin), np.abs(chance_margin - margin)
    figures: dict[str, Any] = {
        "n": len(table),
        "wrong": int(wrong.sum()),
        **share_with_interval("agreement", table["agrees"].to_numpy(float)),
        **mean_with_interval("margin_mae", error, seed, "margin error"),
        "margin_mae_chance": float(chance.mean()),
    }
    if 0 < wrong.sum() < len(wrong):
        figures["disagreement_auroc"] = auc(wrong, table["disagreement"].to_numpy(float))
    return figures


def most_faithful(figures: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the space whose neighbours' margins are nearest to the queries' own.

    Spaces that agree by construction do not compete; ties go to the first.

    Args:
        figures: of `fidelity_figures` by space; at least one that competes.
    """
    competing = [name for name in figures if name not in BY_CONSTRUCTION]
    return min(competing, key=lambda name: figures[name]["margin_mae"])
