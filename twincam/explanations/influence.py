"""Which training images support a prediction: four estimates, and the effect of removing one.

All consider the last layer only. What they estimate is measured on a head refitted to convergence
on the training features, a multinomial logistic regression with an L2 penalty, since only there
"without this image" has a unique answer:

    minimise over W  mean of cross-entropies of W f_i  +  RIDGE |W|^2

where features are scaled to a mean square norm of 1 and extended by a 1 for the bias. With more
features than images W is a sum of the images' features, so the features are first rotated onto
their span, which is exact and fast. A measured effect is a margin, the predicted class's logit
minus the runner-up's, with all images minus that without the one; positive if the image supports
the prediction. An image's effect on the layers before the head is not measured.
"""

from typing import NamedTuple

import numpy as np

from twincam.explanations.twins.neighbours import Compare, Positions
from twincam.statistics.margins import margin_classes
from twincam.statistics.probabilities import softmax

RIDGE = 1e-3
"""Strength of the penalty."""

LARGEST_HESSIAN = 4000
"""Largest number of the refitted head's weights for which the second-order estimate is computed."""


class Refit(NamedTuple):
    """A head refitted to the training images: weight ``[K,d]`` and the features it takes ``[T,d]``.

    ``labels`` ``[T]`` are the images' classes. Of an image's features, divided by ``scale`` and
    extended by a 1, it takes the coordinates on ``basis`` ``[C+1,d]``.
    """

    weight: np.ndarray
    references: np.ndarray
    labels: np.ndarray
    scale: float
    basis: np.ndarray


class Head(NamedTuple):
    """A refitted head: weight ``[K,d]``, and the features it takes, ``[T,d]`` and ``[Q,d]``.

    ``labels`` ``[T]`` are the training images' classes; ``pairs`` ``[Q,2]`` each query's predicted
    class and runner-up according to the network.
    """

    weight: np.ndarray
    references: np.ndarray
    labels: np.ndarray
    queries: np.ndarray
    pairs: np.ndarray

    def margins(self) -> np.ndarray:
        """Return the refitted margins of ``pairs``, ``[Q]``."""
        return _margins(self.queries, self.weight, self.pairs)


def refit_head(
    references: np.ndarray,
    labels: np.ndarray,
    queries: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray,
) -> Head:
    """Refit the head to convergence, including the rotation described in the module's docstring.

    Args:
        references: features of the training images, ``[T,C]``.
        labels: their class indices, ``[T]``.
        queries: features ``[Q,C]``.
        weight: of the network's head, ``[K,C]``; with the bias, determines the pairs of classes.
        bias: ``[K]``.
    """
    return head_of(refit(references, labels, len(bias)), queries, queries @ weight.T + bias)


def refit(references: np.ndarray, labels: np.ndarray, classes: int) -> Refit:
    """Refit the head of K ``classes`` to features ``[T,C]`` and class indices ``[T]``."""
    scale = float(np.sqrt((references.astype(np.float64) ** 2).sum(axis=1).mean()) or 1.0)
    train = _extended(references, scale)
    wide = train.shape[1] > len(train)
    basis = np.linalg.qr(train.T)[0] if wide else np.eye(train.shape[1])
    train = train @ basis if wide else train
    start = np.zeros((classes, train.shape[1]))
    fitted = _fit(train, labels, np.ones(len(labels)), np.eye(train.shape[1]), start)
    return Refit(fitted, train, labels, scale, basis)


def head_of(fitted: Refit, queries: np.ndarray, logits: np.ndarray) -> Head:
    """Return the refitted head of queries.

    Args:
        fitted: from `refit`.
        queries: features ``[Q,C]``.
        logits: the network's own, ``[Q,K]``, which determine the pairs of classes.
    """
    projected = _extended(queries, fitted.scale) @ fitted.basis
    pairs = np.stack(margin_classes(logits), axis=1)
    return Head(fitted.weight, fitted.references, fitted.labels, projected, pairs)


def _extended(features: np.ndarray, scale: float) -> np.ndarray:
    """Return features ``[N,C]`` divided by ``scale`` and extended by a 1, ``[N,C+1]``."""
    whole = np.ones((len(features), features.shape[1] + 1))
    np.divide(features, scale, out=whole[:, :-1])
    return whole


def _fit(
    features: np.ndarray,
    labels: np.ndarray,
    counts: np.ndarray,
    metric: np.ndarray,
    start: np.ndarray,
) -> np.ndarray:
    """Return the weight ``[K,d]`` of least penalised cross-entropy.

    Args:
        features: ``[T,d]``.
        labels: ``[T]``.
        counts: ``[T]``, 1, or 0 for an image that is left out; the weights of the others do not
            change.
        metric: ``[d,d]``, of the penalty, ``RIDGE trace(W metric W')``.
        start: ``[K,d]``.
    """
    from scipy.optimize import minimize
    from scipy.special import logsumexp

    truth = np.eye(len(start))[labels]
    share = counts / len(labels)

    def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weight = flat.reshape(start.shape)
        logits = features @ weight.T
        loss = share @ (logsumexp(logits, axis=1) - (logits * truth).sum(axis=1))
        slope = (share[:, None] * (softmax(logits) - truth)).T @ features
        pull = RIDGE * weight @ metric
        return loss + (pull * weight).sum(), (slope + 2 * pull).ravel()

    options = {"maxiter": 10_000, "maxfun": 20_000, "ftol": 0, "gtol": 1e-9, "maxcor": 20}
    found = minimize(objective, start.ravel(), jac=True, method="L-BFGS-B", options=options)
    return np.asarray(found.x).reshape(start.shape)


def _margins(queries: np.ndarray, weight: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    logits = queries @ weight.T
    return np.asarray(np.subtract(*np.take_along_axis(logits, pairs, axis=1).T))


def _errors(head: Head) -> np.ndarray:
    """Return the gradient ``[T,K]`` of each training image's loss by its refitted logits."""
    classes = np.eye(len(head.weight))
    return np.asarray(softmax(head.references @ head.weight.T) - classes[head.labels])


def leave_one_out(head: Head, removed: np.ndarray) -> np.ndarray:
    """Return, ``[Q,R]``, how much each training image ``removed`` ``[R]`` adds to each margin.

    The head is refitted without the image, starting from the weights with it. Features are whitened
    by the curvature there (the Hessian, for two classes), so that few steps are needed.
    """
    from scipy.linalg import cholesky, solve_triangular

    p = softmax(head.references @ head.weight.T)
    spread = (p * (1 - p)).sum(axis=1) / ((len(head.weight) - 1) * len(p))
    flat = np.eye(head.references.shape[1])
    root = cholesky((head.references.T * spread) @ head.references + 2 * RIDGE * flat, lower=True)
    inverse = solve_triangular(root, flat, lower=True)
    references, queries = head.references @ inverse.T, head.queries @ inverse.T
    metric, everyone = inverse @ inverse.T, np.ones(len(references))
    whole = _fit(references, head.labels, everyone, metric, head.weight @ root)
    changes = np.empty((len(queries), len(removed)))
    for place, one in enumerate(removed):
        others = everyone.copy()
        others[one] = 0
        without = _fit(references, head.labels, others, metric, whole)
        changes[:, place] = _margins(queries, whole - without, head.pairs)
    return changes


def estimates(
    head: Head,
    references: np.ndarray,
    queries: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray,
) -> dict[str, Compare]:
    """Return each estimate by name; positive if the training image supports the prediction.

    `gradients` gives ``gradient_dot`` and ``gradient_cosine``, from the network's own head;
    `representer` and, unless the head is too large, `second_order` come from the refitted one.

    Args:
        head: refitted, of the same images.
        references: features ``[T,C]``.
        queries: features ``[Q,C]``.
        weight: of the network's head, ``[K,C]``.
        bias: of the network's head, ``[K]``.
    """
    found = gradients((references, head.labels), queries, weight, bias)
    found["representer"] = representer(head)
    if head.weight.size <= LARGEST_HESSIAN:
        found["second_order"] = second_order(head, inverse_hessian(head))
    return found


def gradients(
    train: tuple[np.ndarray, np.ndarray],
    queries: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray,
) -> dict[str, Compare]:
    """Return inner products and cosines of the losses' gradients by the head.

    TracIn at the last checkpoint and layer (Pruthi et al., NeurIPS 2020): the query's loss for its
    predicted class, a training image's for its label. The cosine keeps images of large loss from
    appearing influential for every query (Hanawa et al., ICLR 2021).

    Args:
        train: features ``[T,C]`` and class indices ``[T]``.
        queries: features ``[Q,C]``.
        weight: of the network's head, ``[K,C]``.
        bias: of the network's head, ``[K]``.
    """
    references, labels = train
    errors, lengths = [], []
    for these, targets in ((queries, None), (references, labels)):
        p = softmax((these @ weight.T + bias).astype(np.float64))
        own = p - np.eye(len(bias))[p.argmax(axis=1) if targets is None else targets]
        squares = np.einsum("nc,nc->n", these, these, dtype=np.float64) + 1
        errors.append(own)
        lengths.append(np.linalg.norm(own, axis=1) * np.sqrt(squares))
    tiny = np.finfo(float).tiny

    def dot(rows: Positions, columns: Positions) -> np.ndarray:
        first, second = (part.astype(np.float64) for part in (queries[rows], references[columns]))
        return np.asarray((errors[0][rows] @ errors[1][columns].T) * (first @ second.T + 1))

    def cosine(rows: Positions, columns: Positions) -> np.ndarray:
        length = np.outer(lengths[0][rows], lengths[1][columns])
        return np.asarray(dot(rows, columns) / np.maximum(length, tiny))

    return {"gradient_dot": dot, "gradient_cosine": cosine}


def representer(head: Head) -> Compare:
    """Return the representer values, which add up to the refitted margin.

    At the optimum W is a sum over images of alpha_i f_i with alpha_i = -dL/dlogits_i / (2 RIDGE T)
    (Yeh et al., NeurIPS 2018), so a margin is one of (alpha_i,predicted - alpha_i,rival) f_i.f.
    """
    alpha = -_errors(head) / (2 * RIDGE * len(head.labels))

    def values(rows: Positions, columns: Positions) -> np.ndarray:
        own, rival = (alpha[columns][:, side] for side in head.pairs[rows].T)
        return np.asarray((own - rival).T * (head.queries[rows] @ head.references[columns].T))

    return values


def inverse_hessian(head: Head | Refit) -> np.ndarray:
    """Return the inverse ``[K*d,K*d]`` of the exact Hessian of the refitted head's objective."""
    from scipy.linalg import cho_factor, cho_solve

    classes, width = head.weight.shape
    count = len(head.labels)
    p = softmax(head.references @ head.weight.T)
    hessian = np.zeros((classes, width, classes, width))
    for one in range(classes):
        for other in range(one + 1):
            curvature = p[:, one] * ((one == other) - p[:, other]) / count
            block = (head.references.T * curvature) @ head.references
            hessian[one, :, other] = hessian[other, :, one] = block
    square = hessian.reshape(head.weight.size, -1)
    square[np.diag_indices_from(square)] += 2 * RIDGE
    return np.asarray(cho_solve(cho_factor(square), np.eye(len(square))))


def second_order(head: Head, inverse: np.ndarray) -> Compare:
    """Return the first-order effect of each image on each refitted margin.

    Influence functions (Koh & Liang, ICML 2017) with the head's exact Hessian H: minus the
    margin's gradient times H^-1 times the image's gradient, over T.

    Args:
        head: refitted.
        inverse: of `inverse_hessian`.
    """
    classes, width = head.weight.shape
    errors = _errors(head)

    def effects(rows: Positions, columns: Positions) -> np.ndarray:
        queries, (predicted, rival) = head.queries[rows], head.pairs[rows].T
        gradient, each = np.zeros((len(queries), classes, width)), np.arange(len(queries))
        gradient[each, predicted], gradient[each, rival] = queries, -queries
        parts = (gradient.reshape(len(queries), -1) @ inverse).reshape(gradient.shape)
        references, own = head.references[columns].T, errors[columns]
        effect = sum((parts[:, k] @ references) * own[:, k] for k in range(classes))
        return np.asarray(-effect / len(head.labels))

    return effects
