"""How often traces are found, by split, source and class."""

from typing import Any

import numpy as np
import pandas as pd

from twincam.files.deliveries import EXTERNAL
from twincam.files.messages import INDEPENDENT
from twincam.statistics.intervals import share_with_interval

COLUMNS = ["id", "path", "split", "source", "label", "score", "traced"]


def summarise(table: pd.DataFrame) -> dict[str, Any]:
    """Return the share of images with traces, with n and interval, by class.

    Keys ``<split>.<label>.{n,traced,…}``, and for images of other sources
    ``external.<source>.<label>.{…}``.

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


def _by_class(rows: pd.DataFrame) -> dict[str, dict[str, float]]:
    return {
        str(label): {"n": len(own), **share_with_interval("traced", own.to_numpy(bool))}
        for label, own in rows["traced"].groupby(rows["label"])
    }


def why_skipped(photographs: pd.DataFrame, rate: float, fewest_groups: int) -> str:
    """Return why nothing is learned, or "".

    Args:
        photographs: the training images of the real_class class, with ``group``.
        rate: of false alarms.
        fewest_groups: that there are folds for.
    """
    if not rate:
        return "forensics.target_fpr is 0"
    fewest = max(int(np.ceil(1 / rate)) - 1, fewest_groups)
    groups = photographs["group"].nunique()
    if not groups:
        return "no training image is of the class that real_class names"
    if groups < fewest:
        return (
            f"{groups} {INDEPENDENT} of the real_class class, {fewest} are needed "
            f"at forensics.target_fpr = {rate:g}"
        )
    return ""
