"""The Twin System: the training images nearest to a case in a space the model itself spans.

Kenny & Keane, Twin-Systems to Explain Artificial Neural Networks using Case-Based Reasoning
(IJCAI 2019): a twin explains in so far as its neighbourhood follows the model, which
`vote_agreement` measures.
"""

from collections.abc import Callable

import numpy as np

from stages.common.gradcam import margin_classes, margin_rows

Similarity = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def _unit(vectors: np.ndarray) -> np.ndarray:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12))


def features_cosine(
    query: np.ndarray,
    known: np.ndarray,
    _weight: np.ndarray,
    _query_logits: np.ndarray,
    _known_logits: np.ndarray,
) -> np.ndarray:
    """Return the cosine of pooled features: the original study's space."""
    return np.asarray(_unit(query) @ _unit(known).T)


def features_euclidean(
    query: np.ndarray,
    known: np.ndarray,
    _weight: np.ndarray,
    _query_logits: np.ndarray,
    _known_logits: np.ndarray,
) -> np.ndarray:
    """Return minus the Euclidean distance of pooled features."""
    squared = (query**2).sum(1)[:, None] + (known**2).sum(1) - 2 * query @ known.T
    return -np.sqrt(np.maximum(squared, 0))


def contributions(
    query: np.ndarray,
    known: np.ndarray,
    weight: np.ndarray,
    query_logits: np.ndarray,
    known_logits: np.ndarray,
) -> np.ndarray:
    """Return the cosine of contributions to each image's own predicted logit.

    COLE by Hadamard product (Kenny & Keane 2019): features times the head's row. Neighbours agree
    with the prediction almost by construction; `contributions_margin` is the control.
    """
    return features_cosine(
        query * weight[margin_classes(query_logits)[0]],
        known * weight[margin_classes(known_logits)[0]],
        weight,
        query_logits,
        known_logits,
    )


def contributions_margin(
    query: np.ndarray,
    known: np.ndarray,
    weight: np.ndarray,
    query_logits: np.ndarray,
    _known_logits: np.ndarray,
) -> np.ndarray:
    """Return the cosine of contributions to the query's margin, on both sides."""
    rows = margin_rows(weight, query_logits)
    across = (query * rows**2) @ known.T
    norms = np.linalg.norm(query * rows, axis=1)[:, None] * np.sqrt(rows**2 @ (known**2).T)
    return np.asarray(across / np.maximum(norms, 1e-12))


SPACES: dict[str, Similarity] = {
    "features_cosine": features_cosine,
    "features_euclidean": features_euclidean,
    "contributions": contributions,
    "contributions_margin": contributions_margin,
}
"""Each takes features ``[Q,C]`` and ``[T,C]``, the head's weight ``[K,C]``, logits ``[Q,K]`` and
``[T,K]``, and returns similarities ``[Q,T]``, larger for nearer."""


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


def vote_agreement(neighbour_labels: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Return, bool ``[Q]``, whether the neighbours' vote is the model's prediction."""
    return np.asarray(vote(neighbour_labels) == predicted)
