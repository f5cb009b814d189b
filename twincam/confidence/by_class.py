"""How the images of each class are judged: recognised, unsure, or neither."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from twincam.statistics.estimates import share

if TYPE_CHECKING:
    import pandas as pd


def figures_by_class(verdicts: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Return by class ``n``, ``recall``, ``abstention_rate`` and ``detected_or_abstained``.

    The last is the share of images that are classified correctly or abstained on. All shares have
    Wilson's interval.

    Args:
        verdicts: rows of the table of `twincam.confidence.verdicts.verdicts_of`.
    """
    labels, unsure = verdicts["label"].to_numpy(), verdicts["unsure"].to_numpy(bool)
    right = labels == verdicts["predicted"].to_numpy()
    return {
        name: {
            "n": int((labels == name).sum()),
            "recall": share(right[labels == name]),
            "abstention_rate": share(unsure[labels == name]),
            "detected_or_abstained": share((right | unsure)[labels == name]),
        }
        for name in np.unique(labels)
    }
