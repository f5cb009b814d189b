"""How a source is judged by a classifier that has never seen it."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from twincam.statistics.intervals import majority_share, mean_of_shares, share_with_interval


def figures(table: pd.DataFrame, classes: Sequence[str]) -> dict[str, Any]:
    """Return the figures of one source left out.

    Args:
        table: of the scored images: ``label, predicted, own`` (whether it is the source's).
        classes: the labels.

    Returns:
        ``per_class.<label>`` of the source: ``recall`` with its interval and ``n``; and
        ``others``: ``accuracy`` with its interval, ``majority_share`` and ``n`` of the evaluated
        images of the rest.
    """
    right = (table["label"] == table["predicted"]).to_numpy()
    own = table["own"].to_numpy(bool)
    found: dict[str, Any] = {"per_class": {}}
    for name in classes:
        mine = own & (table["label"] == name).to_numpy()
        if mine.any():
            recall = share_with_interval("recall", right[mine])
            found["per_class"][name] = {"n": int(mine.sum()), **recall}
    if not own.all():
        accuracy = share_with_interval("accuracy", right[~own])
        majority = majority_share(table["label"].to_numpy()[~own])
        found["others"] = {"n": int((~own).sum()), **accuracy, "majority_share": majority}
    return found


def macro_recall(scored: pd.DataFrame) -> dict[str, Any]:
    """Return by class the mean of the recalls of its sources, each when left out.

    Args:
        scored: of the images of every source, by the model that left it out: ``left_out, label,
            predicted``.
    """
    found = {}
    for label, rows in scored.groupby("label"):
        parts = [
            (own["predicted"] == label).to_numpy() for _, own in rows.groupby("left_out", sort=True)
        ]
        found[str(label)] = {
            "n": len(rows),
            "sources": len(parts),
            **mean_of_shares("recall", parts),
        }
    return found
