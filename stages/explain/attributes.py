"""Do twins share what is known of an image: a defect's family, coat, background, a mark?"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stages.common.artifacts import read_table
from stages.common.statistics import bootstrap_mean
from stages.common.twins import ASKED, nearest

KNOWN_FACTS = ("path", "group", "source", "family", "partner")
MOST_VALUES = 50


def read_attributes(info: Path, paths: pd.Series) -> pd.DataFrame:
    """Return what further columns of ``info/manifest.csv`` say of the images at ``paths``.

    Columns with one value, or more than `MOST_VALUES`, tell twins nothing and are left out; "" is
    unknown.
    """
    file = info / "manifest.csv"
    if not file.is_file():
        return pd.DataFrame(index=paths.index)
    said = read_table(file).astype(str).drop_duplicates("path").set_index("path")
    said = said.drop(columns=[name for name in KNOWN_FACTS if name in said])
    table = said.reindex(paths).fillna("").set_axis(paths.index, axis=0)
    telling = [name for name in table if 2 <= table[name].nunique() <= MOST_VALUES]
    return table[telling]


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
