"""The training images that support each prediction most, by the most accurate estimate.

The estimate is chosen on training images only, by the measured effect of leaving an image out
(`twincam.explanations.influence`).
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import binom

from stages.explain.params import Params
from stages.explain.run import Explanation, Run, head_of, labels_of
from twincam.explanations.influence import Head, estimates, leave_one_out, refit_head
from twincam.explanations.twins.neighbours import Compare, Neighbours, nearest_between
from twincam.files.metrics import Estimate
from twincam.statistics.estimates import mean, share
from twincam.statistics.ranking import rank_correlations
from twincam.statistics.sampling import sample_balanced

SHOWN = 5
"""Images of largest influence among which hubs are sought."""

MOST_HUB_SHARE = 0.5
"""An estimate whose hub share exceeds this part of the way from chance to 1 is skipped."""

CHOICE_QUERIES = 100
"""The most training images, and at most a fifth of them, that the estimate is chosen on."""


class Influential(NamedTuple):
    """The estimate chosen, its values, and the measurements."""

    chosen: str
    values: Compare
    metrics: dict[str, Any]


def find_influential(run: Run, params: Params) -> Explanation:
    """Find the training images of largest influence on each evaluated image, and evaluate them.

    Nothing if ``explain.influence_refits`` is 0.

    Args:
        run: what is explained.
        params: of the stage.

    Returns:
        The neighbours ``influential``, and the metrics ``influence`` of `choose_estimate`.
    """
    refits, seed = params.explain.influence_refits, params.seed
    if not refits:
        return Explanation({}, {}, {})
    train = run.embedded.features[run.train], labels_of(run)[run.train]
    queries = run.embedded.features[run.evaluated]
    found = choose_estimate(train, queries, *head_of(run.network), refits, seed)
    neighbours = {
        "influential": _largest(found.values, len(queries), len(run.train), params.explain.twins)
    }
    return Explanation({"influence": found.metrics}, {}, neighbours)


def _largest(values: Compare, queries: int, references: int, k: int) -> Neighbours:
    return nearest_between(values, np.arange(queries), np.arange(references), k)


def choose_estimate(
    train: tuple[np.ndarray, np.ndarray],
    queries: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray,
    refits: int,
    seed: int,
) -> Influential:
    """Choose the estimate on training images only, then apply it to the queries and evaluate it.

    For the choice a seeded sample of the training images serves as queries, explained by the
    others; the actual queries are not used. Time grows with T C^2 for the second-order estimate,
    with ``refits`` T C for leaving images out, with Q T C for the estimates; memory with (Q + T) C.

    Args:
        train: features ``[T,C]`` and class indices ``[T]`` of the training images; T at least 4.
        queries: features ``[Q,C]``, Q at least 1.
        weight: of the network's head, ``[K,C]``.
        bias: of the network's head, ``[K]``.
        refits: the most training images left out, one at a time; at least 1.
        seed: of samples and bootstraps.

    Returns:
        Metrics: ``chosen``; ``choice`` and ``evaluated``, each `influence_figures` of its queries.
    """
    features, labels = train
    asked = sample_balanced(labels, min(CHOICE_QUERIES, len(labels) // 5 or 1), seed, "choice")
    rest = np.setdiff1d(np.arange(len(labels)), asked)

    def measured(
        name: str, references: np.ndarray, own: np.ndarray, query: np.ndarray
    ) -> tuple[dict[str, Compare], dict[str, Any]]:
        head = refit_head(references, own, query, weight, bias)
        values = estimates(head, references, query, weight, bias)
        removed = sample_balanced(own, refits, seed, "left out", name)
        changes = leave_one_out(head, removed)
        return values, influence_figures(head, values, removed, changes, seed, name)

    choice = measured("choice", features[rest], labels[rest], features[asked])[1]
    values, evaluated = measured("evaluated", features, labels, queries)
    chosen = choose({name: choice[name] for name in values}, choice["hub_share_chance"])
    metrics = {"chosen": chosen, "choice": choice, "evaluated": evaluated}
    return Influential(chosen, values[chosen], metrics)


def within_labels(first: np.ndarray, second: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return `rank_correlations` ``[Q]`` within the columns of one label, mean over the labels.

    Args:
        first: ``[Q,R]``.
        second: ``[Q,R]``.
        labels: of the columns, ``[R]``; labels of fewer than three columns do not count; if none
            count the correlation is 0.
    """
    parts = [labels == label for label in np.unique(labels) if (labels == label).sum() > 2]
    correlations = [rank_correlations(first[:, part], second[:, part]) for part in parts]
    return np.mean(correlations, axis=0) if parts else np.zeros(len(first))


def hub_hits(top: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Return, bool ``[Q]``, whose top images include the most frequent one of their predicted
    class.

    Frequency is counted over queries of the same predicted class: an image that supports one class
    seldom supports another, so a hub can reach at most the queries of one class.

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
    """Return the values of `hub_hits` and of the number of different images by chance.

    Each query's ``k`` are sampled from the training images of its predicted class. The count of one
    image is then binomial; counts are treated as independent.

    Args:
        labels: of the training images, ``[T]``.
        predicted: of the queries, ``[Q]``.
        k: images sampled for each query.
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
    values: Mapping[str, Compare],
    removed: np.ndarray,
    changes: np.ndarray,
    seed: int,
    *names: object,
) -> dict[str, Any]:
    """Return how well each estimate predicts the effect of leaving an image out, and its hubs.

    ``n`` queries, ``train`` images, ``refits``; ``refit_agreement``, the share of queries whose
    margin keeps its sign in the refitted head. For each estimate

    - ``loo_correlation``, Spearman's between estimate and effect over the images left out, mean
      over the queries; ``loo_correlation_over_label``, the same minus that of the control, which
      uses an image's label only (+1 predicted, -1 runner-up, else 0: ``label``);
      ``loo_correlation_within_label``, among images of one label, where that control is 0.
    - ``hub_share``, the share of queries whose top five include the image most frequent among
    queries of the same predicted class, with ``hub_share_chance``; ``distinct``, the number of
    different images in all top fives, with ``distinct_chance``.

    Intervals of correlations are bootstraps over the queries, with the images left out fixed.

    Args:
        head: refitted.
        values: each estimate.
        removed: indices of the training images left out, ``[R]``.
        changes: of `leave_one_out`, ``[Q,R]``.
        seed: of the bootstraps.
        names: of the bootstraps.
    """

    def correlation_of(name: str, correlations: np.ndarray) -> Estimate:
        return mean(correlations, seed, *names, name)

    predicted, rival = head.pairs.T
    own = head.labels[removed]
    side = (own == predicted[:, None]).astype(float) - (own == rival[:, None])
    control = rank_correlations(side, changes)
    figures: dict[str, Any] = {
        "n": len(head.queries),
        "train": len(head.labels),
        "refits": len(removed),
        "refit_agreement": share(head.margins() > 0),
        **hub_chance(head.labels, predicted, SHOWN),
        "label": {"loo_correlation": correlation_of("loo_correlation", control)},
    }
    everyone = slice(0, len(predicted))
    for estimate, compare in values.items():
        estimated = compare(everyone, removed)
        correlation = rank_correlations(estimated, changes)
        within = within_labels(estimated, changes, own)
        top = _largest(compare, len(predicted), len(head.labels), SHOWN)[0]
        figures[estimate] = {
            "loo_correlation": correlation_of("loo_correlation", correlation),
            "loo_correlation_over_label": correlation_of("difference", correlation - control),
            "loo_correlation_within_label": correlation_of("loo_correlation_within_label", within),
            "hub_share": share(hub_hits(top, predicted)),
            "distinct": len(np.unique(top)),
        }
    return figures


def choose(figures: Mapping[str, Mapping[str, Any]], chance: float) -> str:
    """Return the estimate of highest ``loo_correlation`` that has no hub.

    An estimate has a hub if its ``hub_share`` is more than `MOST_HUB_SHARE` of the way from
    ``chance`` to 1. If all have one, the lowest ``hub_share`` is chosen. Ties go to the first.

    Args:
        figures: of each estimate.
        chance: ``hub_share_chance`` of the same queries.
    """
    most = chance + MOST_HUB_SHARE * (1 - chance)
    fair = [name for name in figures if figures[name]["hub_share"].value <= most]
    if fair:
        return max(fair, key=lambda name: figures[name]["loo_correlation"].value)
    return min(figures, key=lambda name: figures[name]["hub_share"].value)
