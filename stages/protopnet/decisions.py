"""Read a decision: which patches looked like which prototypes, and what that was worth."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from stages.protopnet.model import PrototypeNet
from twincam.determinism import generator
from twincam.statistics.intervals import bootstrap_mean, stratified_draws

TOP = 3
"""Prototypes shown one by one; the others are summed."""


class LastLayer(NamedTuple):
    """What prototypes give: their class ``owner`` ``[P]``, ``points`` ``[P]``, ``bias`` ``[K]``."""

    owner: np.ndarray
    points: np.ndarray
    bias: np.ndarray


def last_layer(net: PrototypeNet) -> LastLayer:
    """Return the last layer of ``net`` as arrays."""
    return LastLayer(*(tensor.cpu().numpy() for tensor in (net.owner, net.points, net.bias)))


class Term(NamedTuple):
    """One resemblance, at ``cell`` ``[2]``: ``points`` are ``similarity`` times ``weight``."""

    prototype: int
    cell: np.ndarray
    similarity: float
    weight: float
    points: float


class Account(NamedTuple):
    """One class's logit as a sum: the points of ``terms``, those of ``others`` more, the bias."""

    owner: int
    terms: list[Term]
    others: int
    others_points: float
    bias: float

    @property
    def logit(self) -> float:
        """What all of it adds up to."""
        return sum(term.points for term in self.terms) + self.others_points + self.bias


def account(similar: np.ndarray, cells: np.ndarray, layer: LastLayer, owner: int) -> Account:
    """Return how the logit of class ``owner`` comes about in one image.

    Args:
        similar: best similarities ``[P]``.
        cells: where they are, ``[P,2]``.
        layer: what they are worth.
        owner: index of the class.
    """
    live = np.flatnonzero((layer.owner == owner) & (layer.points > 0))
    given = similar[live].astype(float) * layer.points[live]
    order = np.argsort(-given, kind="stable")
    terms = [
        Term(int(p), cells[p], float(similar[p]), float(layer.points[p]), float(points))
        for p, points in zip(live[order[:TOP]], given[order[:TOP]], strict=True)
    ]
    rest = given[order[TOP:]]
    return Account(owner, terms, len(rest), float(rest.sum()), float(layer.bias[owner]))


def choose_shown(
    labels: np.ndarray, predicted: np.ndarray, correct: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return positions of all wrong predictions, and of ``correct`` right ones drawn by seed.

    The right ones come class by class in turn.

    Args:
        labels: class indices ``[N]``.
        predicted: ``[N]``.
        correct: how many right ones, as far as there are.
        seed: of the draw.
    """
    order = generator(seed, "decisions").permutation(len(labels))
    right = order[(labels == predicted)[order]]
    turn = pd.Series(labels[right]).groupby(labels[right]).cumcount().to_numpy()
    return np.flatnonzero(labels != predicted), right[np.lexsort((labels[right], turn))][:correct]


def evidence_figures(
    similar: np.ndarray, labels: np.ndarray, layer: LastLayer, classes: Sequence[str], seed: int
) -> dict[str, Any]:
    """Return by class what its logit is made of, and whether resemblance or its lack tells it.

    Over the ``n`` images of the class: ``bias``; ``points``, the mean sum of what its prototypes
    give, with a 95 % bootstrap interval; ``mainly_bias``, whether the bias is more. The images of
    a class stand out because its own prototypes give them more than they give other images, or
    because the other classes' give them less: ``presence`` is the first's share of both, with a
    bootstrap interval drawn by class. Near 0 the class is told by the absence of the others; None
    where the two do not tell it at all.

    Args:
        similar: best similarities ``[N,P]``.
        labels: class indices ``[N]``.
        layer: what they are worth.
        classes: the K labels.
        seed: of the bootstraps.
    """
    given = (similar.astype(float) * layer.points) @ np.eye(len(classes))[layer.owner]
    found: dict[str, Any] = {}
    for k, name in enumerate(classes):
        own = labels == k
        if not own.any() or own.all():
            continue
        others = np.delete(given, k, axis=1).mean(axis=1)
        low, high = bootstrap_mean(given[own, k], seed, "points", name)
        draws = stratified_draws(own, seed, "presence", name)
        drawn = [_presence(given[rows, k], others[rows], own[rows]) for rows in draws]
        told = [share for share in drawn if not np.isnan(share)] or [float("nan")]
        presence_low, presence_high = np.percentile(told, [2.5, 97.5])
        points = float(given[own, k].mean())
        found[name] = {
            "n": int(own.sum()),
            "bias": float(layer.bias[k]),
            "points": points,
            "points_low": low,
            "points_high": high,
            "mainly_bias": bool(layer.bias[k] > points),
            "presence": _presence(given[:, k], others, own),
            "presence_low": float(presence_low),
            "presence_high": float(presence_high),
        }
    return found


def _presence(mine: np.ndarray, others: np.ndarray, own: np.ndarray) -> float:
    more = max(0.0, float(mine[own].mean() - mine[~own].mean()))
    less = max(0.0, float(others[~own].mean() - others[own].mean()))
    return more / (more + less) if more + less > 0 else float("nan")
