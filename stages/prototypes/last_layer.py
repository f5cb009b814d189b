"""Refit the weights of the prototypes: a convex problem with one solution."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.special import logsumexp, softmax

from stages.prototypes.params import Prototypes
from stages.prototypes.run import Run
from twincam.explanations.prototypes.contributions import LastLayer, layer_logits


class Fit(NamedTuple):
    """A last layer, and the logits ``[V,K]`` of the evaluated images under it."""

    layer: LastLayer
    logits: np.ndarray


class Fits(NamedTuple):
    """Last layers fitted to the training images: of ``all`` prototypes, and of those ``kept``.

    ``kept`` is without those a person removed, or ``all`` itself. ``kmeans`` is of untrained
    prototypes.
    """

    all: Fit
    kept: Fit
    kmeans: Fit


def fit_layers(run: Run, owner: np.ndarray, settings: Prototypes) -> Fits:
    """Fit each of `Fits`; ``owner`` ``[P]`` is the class of each prototype."""
    measured, labels = run.measured, run.train_labels
    similar = measured.train_similarity, measured.evaluated_similarity
    untrained = measured.kmeans_train, measured.kmeans_evaluated
    removed = [removal.id for removal in settings.remove]

    def fit(train: np.ndarray, evaluated: np.ndarray, removed: Sequence[int] = ()) -> Fit:
        layer = fit_layer(train, owner, labels, settings, removed)
        return Fit(layer, layer_logits(layer, evaluated))

    full = fit(*similar)
    return Fits(full, fit(*similar, removed) if removed else full, fit(*untrained))


def fit_layer(
    best: np.ndarray,
    owner: np.ndarray,
    labels: np.ndarray,
    settings: Prototypes,
    removed: Sequence[int] = (),
) -> LastLayer:
    """Return the last layer of least penalised loss; those ``removed`` have a weight of 0.

    Args:
        best: best similarities of the training images, ``[N,P]``.
        owner: the class of each prototype, ``[P]``; every class has one.
        labels: class indices of the images, ``[N]``.
        settings: the penalties.
        removed: positions of prototypes; at least one other remains.
    """
    kept = np.setdiff1d(np.arange(len(owner)), removed)
    weight = np.zeros(len(owner), np.float32)
    weight[kept], bias = refit(
        best.take(kept, axis=1), owner[kept], labels, owner.max() + 1, settings.l1, settings.ridge
    )
    return LastLayer(owner, weight, bias)


def refit(
    best: np.ndarray,
    owner: np.ndarray,
    labels: np.ndarray,
    classes: int,
    l1: float,
    ridge: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Return weights ``[P]``, at least 0, and bias ``[K]`` of least penalised cross-entropy.

    Minimises the class-balanced mean cross-entropy of ``bias + sum of own weights * similarity``
    plus ``l1`` times the sum of weights plus ``ridge`` times their squared distances from their
    mean, which distributes weight among prototypes with similar responses. Similarities are
    standardised inside, so that the penalties treat all prototypes equally; the weights returned
    are for the raw ones. Prototypes of weight 0 have no effect.

    Args:
        best: best similarities ``[N,P]``.
        owner: the class of each prototype, ``[P]``.
        labels: class indices ``[N]``.
        classes: K.
        l1: strength of the first penalty; a larger one keeps fewer prototypes.
        ridge: strength of the second.
    """
    mean, scale = best.mean(axis=0), best.std(axis=0) + 1e-6
    inputs = (best - mean) / scale
    own = np.eye(classes)[owner]
    truth = np.eye(classes)[labels]
    balance = 1 / (classes * truth.sum(axis=0))[labels]
    count = best.shape[1]

    def objective(variables: np.ndarray) -> tuple[float, np.ndarray]:
        weights, bias = variables[:count], variables[count:]
        logits = (inputs * weights) @ own + bias
        loss = balance @ (logsumexp(logits, axis=1) - (logits * truth).sum(axis=1))
        slope = balance[:, None] * (softmax(logits, axis=1) - truth)
        apart = weights - weights.mean()
        penalty = l1 * weights.sum() + ridge * (apart**2).sum()
        by_weight = (inputs * (slope @ own.T)).sum(axis=0) + l1 + 2 * ridge * apart
        return loss + penalty, np.concatenate([by_weight, slope.sum(axis=0)])

    start = np.zeros(count + classes)
    bounds = [(0, None)] * count + [(None, None)] * classes
    options = {"maxiter": 5000, "maxfun": 20000, "ftol": 1e-12, "gtol": 1e-8}
    found = minimize(objective, start, jac=True, bounds=bounds, options=options).x
    weights = np.where(found[:count] > 1e-4 * found[:count].max(), found[:count], 0) / scale
    bias = found[count:] - (weights * mean) @ own
    return weights.astype(np.float32), (bias - bias.mean()).astype(np.float32)
