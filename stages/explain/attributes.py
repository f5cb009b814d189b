"""Do twins share what is known of an image: a defect's family, coat, background, a mark?"""

from typing import Any

import numpy as np

from twincam.explanations.twins import ASKED, nearest
from twincam.statistics.intervals import bootstrap_mean


def shared_at(
    similarity: np.ndarray, queries: np.ndarray, known: np.ndarray, seed: int, *names: object
) -> dict[str, Any]:
    """Return how many of the nearest `ASKED` share a query's value, beside chance.

    Queries and training images without a value ("") do not count. ``share``: the mean over
    queries; ``chance``: the share of the query's value among all training images that have one.
    Empty where fewer than two queries, or no training images, have a value.

    Args:
        similarity: ``[Q,T]``.
        queries: values ``[Q]``.
        known: values ``[T]``.
        seed: of the bootstrap over queries.
        names: of the bootstrap.
    """
    rows, columns = np.flatnonzero(queries != ""), np.flatnonzero(known != "")
    if len(rows) < 2 or not len(columns):
        return {}
    same = queries[rows, None] == known[columns]
    near, _ = nearest(similarity[np.ix_(rows, columns)], ASKED)
    share, chance = np.take_along_axis(same, near, axis=1).mean(axis=1), same.mean(axis=1)
    low, high = bootstrap_mean(share - chance, seed, *names)
    return {
        "n": len(rows),
        "share": float(share.mean()),
        "chance": float(chance.mean()),
        "over_chance": {"difference": float((share - chance).mean()), "low": low, "high": high},
    }
