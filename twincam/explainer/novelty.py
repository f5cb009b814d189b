"""Whether a picture is unlike anything seen in training.

It is compared with its nearest training image, and that distance with those of the training images
to theirs (each left out in turn). Distances are one minus the cosine of pooled features, whatever
the space of the twins: of `SPACES`, the cosine tells other pictures from the training images best
(docs/results/one-image.md). A small distance is no evidence: many pictures of other sources are
near the training images.
"""

import numpy as np

from twincam.explanations.twins.neighbours import Positions, nearest_between
from twincam.explanations.twins.spaces import features_cosine
from twincam.models.embedded import Embedded, at

UNLIKE = "unlike anything seen in training"


def distances(references: Embedded) -> np.ndarray:
    """Return the distance ``[T]`` of each training image to the nearest other, ascending."""
    plain = references._replace(maps=())

    def compare(rows: Positions, columns: Positions) -> np.ndarray:
        return features_cosine(at(plain, rows), at(plain, columns), plain.features)

    def others(rows: Positions, columns: Positions) -> np.ndarray:
        places = np.arange(len(plain.logits))
        return np.asarray(places[rows, None] != places[columns])

    everyone = np.arange(len(plain.logits))
    _, similarity = nearest_between(compare, everyone, everyone, 1, others)
    return np.sort(1 - similarity[:, 0])


def novelty(query: Embedded, references: Embedded, known: np.ndarray) -> tuple[float, float]:
    """Return the distance of one image to the nearest reference, and its quantile among ``known``.

    Args:
        query: one image.
        references: the training images.
        known: of `distances`.
    """
    distance = 1 - float(features_cosine(query, references, query.features).max())
    return distance, float(np.searchsorted(known, distance) / len(known))


def is_unlike(quantile: float) -> bool:
    """Return whether every training image is nearer to its nearest than this image is."""
    return quantile >= 1
