"""Refit what each prototype is worth: a convex problem with one solution."""

import numpy as np
from scipy.optimize import minimize
from scipy.special import logsumexp, softmax


def refit(
    best: np.ndarray,
    owner: np.ndarray,
    labels: np.ndarray,
    classes: int,
    l1: float,
    ridge: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Return points ``[P]``, at least 0, and bias ``[K]`` of least penalised cross-entropy.

    Minimises the class-balanced mean cross-entropy of ``bias + sum of own points * similarity``
    plus ``l1`` times the sum of points plus ``ridge`` times their squared distances from their
    mean, which shares the work among prototypes that say much the same. Similarities are
    standardised inside, so that the penalties treat all prototypes alike; the points returned are
    for the raw ones. Prototypes whose points come out as 0 do nothing.

    Args:
        best: best similarities ``[N,P]``.
        owner: the class of each prototype, ``[P]``.
        labels: class indices ``[N]``.
        classes: K.
        l1: strength of the first penalty; larger leaves fewer prototypes.
        ridge: strength of the second.
    """
    mean, scale = best.mean(axis=0), best.std(axis=0) + 1e-6
    inputs = (best - mean) / scale
    own = np.eye(classes)[owner]
    truth = np.eye(classes)[labels]
    weight = 1 / (classes * truth.sum(axis=0))[labels]
    count = best.shape[1]

    def objective(variables: np.ndarray) -> tuple[float, np.ndarray]:
        points, bias = variables[:count], variables[count:]
        logits = (inputs * points) @ own + bias
        loss = weight @ (logsumexp(logits, axis=1) - (logits * truth).sum(axis=1))
        slope = weight[:, None] * (softmax(logits, axis=1) - truth)
        apart = points - points.mean()
        penalty = l1 * points.sum() + ridge * (apart**2).sum()
        by_point = (inputs * (slope @ own.T)).sum(axis=0) + l1 + 2 * ridge * apart
        return loss + penalty, np.concatenate([by_point, slope.sum(axis=0)])

    start = np.zeros(count + classes)
    bounds = [(0, None)] * count + [(None, None)] * classes
    options = {"maxiter": 5000, "maxfun": 20000, "ftol": 1e-12, "gtol": 1e-8}
    found = minimize(objective, start, jac=True, bounds=bounds, options=options).x
    points = np.where(found[:count] > 1e-4 * found[:count].max(), found[:count], 0) / scale
    bias = found[count:] - (points * mean) @ own
    return points.astype(np.float32), (bias - bias.mean()).astype(np.float32)
