"""Learners on described views: ridge discriminants and a one-class model of photographs."""

from collections.abc import Sequence

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from sklearn.covariance import ledoit_wolf_shrinkage

PENALTIES = {"stiff": 10.0, "flexible": 0.1}


def standardiser(photographs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and deviation ``[F]`` of the views of photographs ``[N,F]``."""
    return photographs.mean(axis=0), photographs.std(axis=0) + 1e-6


def ridge(
    gram: np.ndarray, cross: np.ndarray, kinds: np.ndarray, chosen: np.ndarray, penalty: float
) -> np.ndarray:
    """Score views by a weighted ridge regression on -1 (photograph) and 1 (fake), in its dual form.

    Args:
        gram: inner products of the training views ``[N,N]``.
        cross: inner products of the views to score with them ``[M,N]``.
        kinds: ``[N]``, "" for a photograph, else which kind of fake; kinds have equal weight.
        chosen: which training views take part, ``[N]`` bool.
        penalty: for each view, at a mean weight of 1.

    Returns:
        ``[M]``, larger for what looks made.
    """
    rows = np.flatnonzero(chosen)
    weights = balanced(kinds[rows])
    target = np.where(kinds[rows] == "", -1.0, 1.0)
    system = gram[np.ix_(rows, rows)] + np.diag(penalty * len(rows) / weights)
    factor = cho_factor(system, overwrite_a=True)
    ones, solved = cho_solve(factor, np.ones(len(rows))), cho_solve(factor, target)
    offset = solved.sum() / ones.sum()
    return cross[:, rows] @ (solved - offset * ones) + offset


def balanced(kinds: np.ndarray) -> np.ndarray:
    """Return weights ``[N]`` of mean 1.

    Photographs weigh half; own and remade fakes share the other half equally, as far as there are
    both, and within each the generators or families do.

    Args:
        kinds: "" for a photograph, "own <generator>" or "remade <family>".
    """
    shares = np.zeros(len(kinds))
    origins = np.array([kind.split(" ")[0] for kind in kinds])
    fakes = sorted(set(origins) - {""})
    for origin in sorted(set(origins)):
        share = 0.5 / len(fakes) if origin else 0.5
        members = sorted(set(kinds[origins == origin]))
        for kind in members:
            shares[kinds == kind] = share / len(members) / (kinds == kind).sum()
    return shares * len(kinds)


def one_class(photographs: np.ndarray, views: np.ndarray) -> np.ndarray:
    """Score views by their distance from photographs, both standardised: log Mahalanobis ``[M]``.

    Args:
        photographs: ``[N,F]``; their covariance is shrunk (Ledoit & Wolf, JMVA 2004).
        views: ``[M,F]``.
    """
    shrinkage = ledoit_wolf_shrinkage(photographs, assume_centered=True)
    _, values, axes = np.linalg.svd(photographs, full_matrices=False)
    level = shrinkage * (photographs**2).mean()
    inside = (views @ axes.T) ** 2
    outside = (views**2).sum(axis=1) - inside.sum(axis=1)
    spread = (1 - shrinkage) * values**2 / len(photographs) + level
    distance = (inside / spread).sum(axis=1) + outside.clip(0) / level
    return np.log(distance / views.shape[1])


def combined(scores: Sequence[np.ndarray], photographs: np.ndarray, how: str) -> np.ndarray:
    """Combine scores ``[N]`` each, standardised by those of ``photographs`` (bool ``[N]``).

    Args:
        scores: of several models.
        photographs: which images set the scale.
        how: "mean" or "max".
    """
    scaled = [(s - s[photographs].mean()) / (s[photographs].std() + 1e-9) for s in scores]
    return np.max(scaled, axis=0) if how == "max" else np.mean(scaled, axis=0)
