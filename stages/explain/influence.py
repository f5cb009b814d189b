"""Which training images a prediction rests on: four estimates, judged by leaving images out.

All look at the last layer alone. What they estimate is measured on a head that is refitted to
convergence on the training features, multinomial logistic regression with an L2 penalty, as only
there "without this image" has one answer:

    minimise over W  mean of cross-entropies of W f_i  +  RIDGE |W|^2

where features are scaled to a mean square norm of 1 and extended by a 1 for the bias. With more
features than images W is a sum of the images' features, so the features are first rotated onto
their span: exact, and quick. A measured effect is a margin, the predicted class's logit less the
runner-up's, with all images less that without the one; positive where the image supports the
prediction. What an image did to the layers before the head is not asked.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import cho_factor, cho_solve, cholesky, solve_triangular
from scipy.optimize import minimize
from scipy.special import logsumexp, softmax
from scipy.stats import binom

from twincam.explanations.gradcam import margin_classes
from twincam.explanations.twins import nearest
from twincam.statistics.intervals import mean_with_interval, share_with_interval
from twincam.statistics.ranking import rank_correlations
from twincam.statistics.sampling import draw_in_turn

RIDGE = 1e-3
"""Strength of the penalty."""

SHOWN = 5
"""Images of largest influence that hubs are looked for among."""

MOST_HUB_SHARE = 0.5
"""An estimate whose hubs take more than this part of the way from chance to all is passed over."""

CHOICE_QUERIES = 100
"""At most so many training images, and at most a fifth, are asked which estimate is best."""

LARGEST_HESSIAN = 4000
"""Above so many weights of the refitted head the second-order estimate is left out."""


class Head(NamedTuple):
    """A refitted head: weight ``[K,d]``, and the features it takes, ``[T,d]`` and ``[Q,d]``.

    ``labels`` ``[T]`` are the training images' classes; ``pairs`` ``[Q,2]`` the predicted class and
    the runner-up of each query, by the network.
    """

    weight: np.ndarray
    known: np.ndarray
    labels: np.ndarray
    queries: np.ndarray
    pairs: np.ndarray

    def margins(self) -> np.ndarray:
        """Return the refitted margins of ``pairs``, ``[Q]``."""
        return _margins(self.queries, self.weight, self.pairs)


class Influential(NamedTuple):
    """The estimate chosen, its values ``[Q,T]``, and what was measured."""

    chosen: str
    values: np.ndarray
    metrics: dict[str, Any]


def influential(
    train: tuple[np.ndarray, np.ndarray],
    queries: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray,
    refits: int,
    seed: int,
) -> Influential:
    """Choose the estimate on training images alone, then apply it to the queries and judge it.

    For the choice a seeded sample of the training images are the queries and the others are what
    explains them; the queries proper take no part. Time grows with T C^2 for the second-order
    estimate, with ``refits`` T C for leaving out, with Q T C for the estimates; memory with Q T.

    Args:
        train: features ``[T,C]`` and class indices ``[T]`` of the training images; T at least 4.
        queries: features ``[Q,C]``, Q at least 1.
        weight: of the network's head, ``[K,C]``.
        bias: of the network's head, ``[K]``.
        refits: training images left out in turn, at most; at least 1.
        seed: of samples and bootstraps.

    Returns:
        Metrics: ``chosen``; ``choice`` and ``evaluated``, each `influence_figures` of its queries.
    """
    features, labels = train
    asked = draw_in_turn(labels, min(CHOICE_QUERIES, len(labels) // 5 or 1), seed, "choice")
    rest = np.setdiff1d(np.arange(len(labels)), asked)
    names = ("choice", "evaluated")
    parts = ((features[rest], labels[rest], features[asked]), (features, labels, queries))
    values: dict[str, np.ndarray] = {}
    metrics: dict[str, Any] = {}
    for name, (known, own, query) in zip(names, parts, strict=True):
        head = refit_head(known, own, query, weight, bias)
        values = estimates(head, known, query, weight, bias)
        removed = draw_in_turn(own, refits, seed, "left out", name)
        changes = leave_one_out(head, removed)
        metrics[name] = influence_figures(head, values, removed, changes, seed, name)
    choice = metrics["choice"]
    chosen = choose({name: choice[name] for name in values}, choice["hub_share_chance"])
    return Influential(chosen, values[chosen], {"chosen": chosen, **metrics})


def refit_head(
    known: np.ndarray,
    labels: np.ndarray,
    queries: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray,
) -> Head:
    """Refit the head to convergence; the rotation of the module's docstring included.

    Args:
        known: features of the training images, ``[T,C]``.
        labels: their class indices, ``[T]``.
        queries: features ``[Q,C]``.
        weight: of the network's head, ``[K,C]``; names the pairs of classes, as does the bias.
        bias: ``[K]``.
    """
    scale = np.sqrt((known.astype(np.float64) ** 2).sum(axis=1).mean()) or 1.0
    train, query = (_extended(features / scale) for features in (known, queries))
    if train.shape[1] > len(train):
        basis = np.linalg.qr(train.T)[0]
        train, query = train @ basis, query @ basis
    flat = np.eye(train.shape[1])
    start = np.zeros((len(bias), train.shape[1]))
    pairs = np.stack(margin_classes(queries @ weight.T + bias), axis=1)
    fitted = _fit(train, labels, np.ones(len(labels)), flat, start)
    return Head(fitted, train, labels, query, pairs)


def _extended(features: np.ndarray) -> np.ndarray:
    return np.pad(features.astype(np.float64), ((0, 0), (0, 1)), constant_values=1)


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
        counts: ``[T]``, 1, or 0 for an image that is left out; the others weigh what they weighed.
        metric: ``[d,d]``, of the penalty, ``RIDGE trace(W metric W')``.
        start: ``[K,d]``.
    """
    truth = np.eye(len(start))[labels]
    share = counts / len(labels)

    def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weight = flat.reshape(start.shape)
        logits = features @ weight.T
        loss = share @ (logsumexp(logits, axis=1) - (logits * truth).sum(axis=1))
        slope = (share[:, None] * (softmax(logits, axis=1) - truth)).T @ features
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
    return np.asarray(softmax(head.known @ head.weight.T, axis=1) - classes[head.labels])


def leave_one_out(head: Head, removed: np.ndarray) -> np.ndarray:
    """Return, ``[Q,R]``, what each of the training images ``removed`` ``[R]`` adds to each margin.

    The head is refitted without it, from the weights with it. Features are whitened for that by the
    curvature there (the Hessian, for two classes), so that few steps are needed.
    """
    p = softmax(head.known @ head.weight.T, axis=1)
    spread = (p * (1 - p)).sum(axis=1) / ((len(head.weight) - 1) * len(p))
    flat = np.eye(head.known.shape[1])
    root = cholesky((head.known.T * spread) @ head.known + 2 * RIDGE * flat, lower=True)
    inverse = solve_triangular(root, flat, lower=True)
    known, queries = head.known @ inverse.T, head.queries @ inverse.T
    metric, everyone = inverse @ inverse.T, np.ones(len(known))
    whole = _fit(known, head.labels, everyone, metric, head.weight @ root)
    changes = np.empty((len(queries), len(removed)))
    for place, one in enumerate(removed):
        others = everyone.copy()
        others[one] = 0
        without = _fit(known, head.labels, others, metric, whole)
        changes[:, place] = _margins(queries, whole - without, head.pairs)
    return changes


def estimates(
    head: Head,
    known: np.ndarray,
    queries: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray,
) -> dict[str, np.ndarray]:
    """Return each estimate ``[Q,T]`` by name; positive where the image supports the prediction.

    `gradients` gives ``gradient_dot`` and ``gradient_cosine``, from the network's own head;
    `representer` and `second_order`, unless that is too large, come from the refitted one.

    Args:
        head: refitted, of the same images.
        known: features ``[T,C]``.
        queries: features ``[Q,C]``.
        weight: of the network's head, ``[K,C]``.
        bias: of the network's head, ``[K]``.
    """
    found = gradients((known, head.labels), queries, weight, bias)
    found["representer"] = representer(head)
    if head.weight.size <= LARGEST_HESSIAN:
        found["second_order"] = second_order(head)
    return found


def gradients(
    train: tuple[np.ndarray, np.ndarray],
    queries: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray,
) -> dict[str, np.ndarray]:
    """Return inner products and cosines ``[Q,T]`` of the losses' gradients by the head.

    TracIn at the last checkpoint and layer (Pruthi et al., NeurIPS 2020): the query's loss for its
    predicted class, a training image's for its label. The cosine keeps images of large loss from
    being everyone's influence (Hanawa et al., ICLR 2021).

    Args:
        train: features ``[T,C]`` and class indices ``[T]``.
        queries: features ``[Q,C]``.
        weight: of the network's head, ``[K,C]``.
        bias: of the network's head, ``[K]``.
    """
    known, labels = train
    errors, features = [], []
    for these, targets in ((queries, None), (known, labels)):
        p = softmax((these @ weight.T + bias).astype(np.float64), axis=1)
        errors.append(p - np.eye(len(bias))[p.argmax(axis=1) if targets is None else targets])
        features.append(_extended(these))
    dot = (errors[0] @ errors[1].T) * (features[0] @ features[1].T)
    length = [
        np.linalg.norm(error, axis=1) * np.linalg.norm(these, axis=1)
        for error, these in zip(errors, features, strict=True)
    ]
    tiny = np.finfo(float).tiny
    return {
        "gradient_dot": dot,
        "gradient_cosine": dot / np.maximum(np.outer(*length), tiny),
    }


def representer(head: Head) -> np.ndarray:
    """Return the representer values ``[Q,T]``, which add up to the refitted margin.

    At the optimum W is a sum over images of alpha_i f_i with alpha_i = -dL/dlogits_i / (2 RIDGE T)
    (Yeh et al., NeurIPS 2018), so a margin is one of (alpha_i,predicted - alpha_i,rival) f_i.f.
    """
    alpha = -_errors(head) / (2 * RIDGE * len(head.labels))
    between = alpha[:, head.pairs[:, 0]] - alpha[:, head.pairs[:, 1]]
    return np.asarray(between.T * (head.queries @ head.known.T))


def second_order(head: Head) -> np.ndarray:
    """Return, ``[Q,T]``, the first-order effect of each image on each refitted margin.

    Influence functions (Koh & Liang, ICML 2017) with the head's exact Hessian H: minus the
    margin's gradient times H^-1 times the image's gradient, over T.
    """
    classes, width = head.weight.shape
    count = len(head.labels)
    p = softmax(head.known @ head.weight.T, axis=1)
    hessian = np.zeros((classes, width, classes, width))
    for one in range(classes):
        for other in range(one + 1):
            curvature = p[:, one] * ((one == other) - p[:, other]) / count
            block = (head.known.T * curvature) @ head.known
            hessian[one, :, other] = hessian[other, :, one] = block
    square = hessian.reshape(head.weight.size, -1)
    square[np.diag_indices_from(square)] += 2 * RIDGE
    gradient = np.zeros((len(head.pairs), classes, width))
    rows = np.arange(len(head.pairs))
    gradient[rows, head.pairs[:, 0]] = head.queries
    gradient[rows, head.pairs[:, 1]] = -head.queries
    solved = cho_solve(cho_factor(square), gradient.reshape(len(rows), -1).T)
    errors, parts = _errors(head), solved.T.reshape(gradient.shape)
    effects = [(parts[:, k] @ head.known.T) * errors[:, k] for k in range(classes)]
    return np.asarray(-np.sum(effects, axis=0) / count)


def within_labels(first: np.ndarray, second: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return `rank_correlations` ``[Q]`` among the columns of one label, mean over the labels.

    Args:
        first: ``[Q,R]``.
        second: ``[Q,R]``.
        labels: of the columns, ``[R]``; those of fewer than three columns do not count, and where
            none count the correlation is 0.
    """
    parts = [labels == label for label in np.unique(labels) if (labels == label).sum() > 2]
    correlations = [rank_correlations(first[:, part], second[:, part]) for part in parts]
    return np.mean(correlations, axis=0) if parts else np.zeros(len(first))


def hub_hits(top: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Return, bool ``[Q]``, whose top images include the one most frequent among queries alike.

    Alike is predicted alike: what supports one class seldom supports another, so a hub of one class
    can at most take the queries of that class.

    Args:
        top: indices of training images, ``[Q,k]``.
        predicted: ``[Q]``.
    """
    hits = np.zeros(len(top), bool)
    for label in np.unique(predicted):
        alike = predicted == label
        hub = np.bincount(top[alike].ravel()).argmax()
        hits[alike] = (top[alike] == hub).any(axis=1)
    return hits


def hub_chance(labels: np.ndarray, predicted: np.ndarray, k: int) -> dict[str, float]:
    """Return what `hub_hits` and the number of different images come to by chance.

    Each query's ``k`` are drawn from the training images labelled as it is predicted. The count of
    one image is then binomial; counts are taken as independent.

    Args:
        labels: of the training images, ``[T]``.
        predicted: of the queries, ``[Q]``.
        k: images drawn for each query.
    """
    most = distinct = 0.0
    for label in np.unique(predicted):
        queries = int((predicted == label).sum())
        images = max(int((labels == label).sum()), 1)
        p = min(1.0, k / images)
        most += (1 - binom.cdf(np.arange(queries), queries, p) ** images).sum()
        distinct += images * (1 - (1 - p) ** queries)
    return {"hub_share_chance": float(most / len(predicted)), "distinct_chance": float(distinct)}


def influence_figures(
    head: Head,
    values: Mapping[str, np.ndarray],
    removed: np.ndarray,
    changes: np.ndarray,
    seed: int,
    *names: object,
) -> dict[str, Any]:
    """Return how well each estimate foretells the effect of leaving an image out, and its hubs.

    ``n`` queries, ``train`` images, ``refits``; ``refit_agreement``, the share of queries whose
    margin keeps its sign in the refitted head. For each estimate

    - ``loo_correlation``, Spearman's between estimate and effect over the images left out, mean
      over the queries; ``loo_correlation_over_label``, the same less that of the control, which
      knows an image's label alone (+1 predicted, -1 runner-up, else 0: ``label``);
      ``loo_correlation_within_label``, among images of one label, where that control is 0.
    - ``hub_share``, the share of queries whose top five include the image most frequent among
      queries predicted alike, beside ``hub_share_chance``; ``distinct``, the different images in
      all top fives, beside ``distinct_chance``.

    Intervals of correlations are bootstraps over the queries, for the images left out.

    Args:
        head: refitted.
        values: each estimate, ``[Q,T]``.
        removed: indices of the training images left out, ``[R]``.
        changes: what `leave_one_out` found, ``[Q,R]``.
        seed: of the bootstraps.
        names: of the bootstraps.
    """

    def mean(name: str, correlations: np.ndarray) -> dict[str, float]:
        return mean_with_interval(name, correlations, seed, *names, name)

    predicted, rival = head.pairs.T
    own = head.labels[removed]
    side = (own == predicted[:, None]).astype(float) - (own == rival[:, None])
    control = rank_correlations(side, changes)
    figures: dict[str, Any] = {
        "n": len(head.queries),
        "train": len(head.labels),
        "refits": len(removed),
        **share_with_interval("refit_agreement", head.margins() > 0),
        **hub_chance(head.labels, predicted, SHOWN),
        "label": mean("loo_correlation", control),
    }
    for estimate, table in values.items():
        correlation = rank_correlations(table[:, removed], changes)
        over = mean("difference", correlation - control)
        top = nearest(table, SHOWN)[0]
        figures[estimate] = {
            **mean("loo_correlation", correlation),
            "loo_correlation_over_label": {
                key.removeprefix("difference_"): value for key, value in over.items()
            },
            **mean("loo_correlation_within_label", within_labels(table[:, removed], changes, own)),
            **share_with_interval("hub_share", hub_hits(top, predicted)),
            "distinct": len(np.unique(top)),
        }
    return figures


def choose(figures: Mapping[str, Mapping[str, float]], chance: float) -> str:
    """Return the estimate of highest ``loo_correlation`` that has no hub.

    A hub is a ``hub_share`` more than `MOST_HUB_SHARE` of the way from ``chance`` to 1. Where all
    have one, the lowest ``hub_share`` decides. Ties go to the first.

    Args:
        figures: of each estimate.
        chance: ``hub_share_chance`` of the same queries.
    """
    most = chance + MOST_HUB_SHARE * (1 - chance)
    fair = [name for name in figures if figures[name]["hub_share"] <= most]
    if fair:
        return max(fair, key=lambda name: figures[name]["loo_correlation"])
    return min(figures, key=lambda name: figures[name]["hub_share"])
