"""How often traces are found, by split, source and class."""

from typing import Any

import pandas as pd

from stages.forensics.thresholds import fewest_scores
from twincam.files.deliveries import EXTERNAL
from twincam.files.messages import INDEPENDENT
from twincam.files.metrics import Estimate
from twincam.files.tables import headline_split
from twincam.statistics.estimates import share

FOLDS = 3
"""Models; each scores the photographs that it was not fitted on."""

COLUMNS = ["id", "path", "split", "source", "label", "score", "traced"]


def summarise(table: pd.DataFrame) -> dict[str, Any]:
    """Return the share of images with traces, by class.

    Keys ``<split>.<label>.{n,traced}``, and for images of other sources
    ``external.<source>.<label>.{n,traced}``.

    Args:
        table: with `COLUMNS`; ``traced`` is bool.
    """
    external = table["split"] == EXTERNAL
    found: dict[str, Any] = {
        str(name): _by_class(rows) for name, rows in table[~external].groupby("split")
    }
    for name, rows in table[external].groupby("source"):
        found.setdefault(EXTERNAL, {})[str(name)] = _by_class(rows)
    return found


def headlines(table: pd.DataFrame, real_class: str | None) -> dict[str, float]:
    """Return how often traces are found in genuine and in generated images.

    ``false_positive_rate`` and ``detection_rate``, of test if it exists, else of val; omitted
    without such images.

    Args:
        table: with `COLUMNS`; ``traced`` is bool.
        real_class: the class of genuine images.
    """
    rows = table[table["split"] == headline_split(set(table["split"]))]
    genuine = rows["label"] == real_class
    parts = {"false_positive_rate": rows[genuine], "detection_rate": rows[~genuine]}
    return {name: float(own["traced"].mean()) for name, own in parts.items() if len(own)}


def _by_class(rows: pd.DataFrame) -> dict[str, dict[str, int | Estimate]]:
    return {
        str(label): {"n": len(own), "traced": share(own.to_numpy(bool))}
        for label, own in rows["traced"].groupby(rows["label"])
    }


def why_skipped(photographs: pd.DataFrame, rate: float, fewest_groups: int) -> str:
    """Return why the stage is skipped, or "".

    Args:
        photographs: the training images of the real_class class, with ``group``.
        rate: the target false positive rate.
        fewest_groups: the number of folds.
    """
    if not rate:
        return "forensics.target_fpr is 0"
    fewest = max(fewest_scores(rate), fewest_groups)
    groups = photographs["group"].nunique()
    if not groups:
        return "no training image belongs to real_class"
    if groups < fewest:
        return (
            f"{groups} {INDEPENDENT} of the real_class class, {fewest} are needed "
            f"at forensics.target_fpr = {rate:g}"
        )
    return ""
