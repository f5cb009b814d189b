"""Figures of a source, from a classifier trained without it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from twincam.confidence.by_class import figures_by_class
from twincam.files.metrics import Estimate
from twincam.statistics.estimates import mean_of_shares, share
from twincam.statistics.intervals import majority_share

RATES = ("detection_rate", "false_positive_rate")


def figures(table: pd.DataFrame) -> dict[str, Any]:
    """Return the figures of one excluded source.

    Args:
        table: of the scored images: ``label, predicted, unsure, own`` (whether it is the source's).

    Returns:
        ``per_class``, `figures_by_class` of the source; and ``others``: ``accuracy`` with its
        interval, ``majority_share`` and ``n`` of the evaluated images of the other sources.
    """
    right = (table["label"] == table["predicted"]).to_numpy()
    own = table["own"].to_numpy(bool)
    found: dict[str, Any] = {"per_class": figures_by_class(table[own])}
    if not own.all():
        found["others"] = {
            "n": int((~own).sum()),
            "accuracy": share(right[~own]),
            "majority_share": majority_share(table["label"].to_numpy()[~own]),
        }
    return found


def macro_recall(scored: pd.DataFrame) -> dict[str, Any]:
    """Return by class the mean recall over its sources, each when excluded.

    Args:
        scored: of the images of every source, by the model trained without it: ``left_out, label,
            predicted``.
    """
    found = {}
    for label, rows in scored.groupby("label"):
        parts = hits_by_source(rows)
        found[str(label)] = {
            "n": len(rows),
            "sources": len(parts),
            "recall": mean_of_shares(parts),
        }
    return found


def rates(scored: pd.DataFrame, real_class: str | None) -> dict[str, Estimate]:
    """Return the means over excluded sources of what they would have been taken for.

    ``detection_rate`` is the mean recall of generated images, ``false_positive_rate`` the mean
    share of genuine images that are taken for another class. A rate is missing if no excluded
    source has such images; without a ``real_class``, all images count as generated.

    Args:
        scored: as in `macro_recall`.
        real_class: the class of genuine images.
    """
    genuine = scored["label"] == real_class
    hits = [hits for _, rows in scored[~genuine].groupby("label") for hits in hits_by_source(rows)]
    alarms = [~hits for hits in hits_by_source(scored[genuine])]
    return {
        name: mean_of_shares(parts)
        for name, parts in zip(RATES, (hits, alarms), strict=True)
        if parts
    }


def hits_by_source(rows: pd.DataFrame) -> list[np.ndarray]:
    """Return for each source of ``rows`` whether its images are classified correctly, bool."""
    return [
        (own["predicted"] == own["label"]).to_numpy()
        for _, own in rows.groupby("left_out", sort=True)
    ]


def headlines(details: Mapping[str, Any]) -> dict[str, Estimate]:
    """Return the rates that were measured."""
    return {name: details[name] for name in RATES if name in details}
