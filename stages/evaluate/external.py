"""Figures of other sources, which were not used in training."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from stages.evaluate.scores import beside_as_is
from twincam.statistics.estimates import share

NO_GUARANTEE = "none: the thresholds were set without images of this source"


def source_figures(rows: pd.DataFrame, unsure: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Return ``n``, ``accuracy``, `beside_as_is` and the block ``unsure`` of one source.

    Of each class ``detected_or_abstained``, the share of its images that are classified correctly
    or abstained on. All shares have Wilson's interval.

    Args:
        rows: the source's rows of `twincam.confidence.verdicts.verdicts_of`.
        unsure: the block ``unsure`` of these rows.
        seed: of the bootstrap.
    """
    right = (rows["predicted"] == rows["label"]).to_numpy()
    abstained = rows["unsure"].to_numpy()
    labels = rows["label"].to_numpy()
    return {
        "n": len(rows),
        "accuracy": share(right),
        **beside_as_is(rows, seed),
        "unsure": {**unsure, "guarantee": NO_GUARANTEE},
        "per_class": {
            name: {
                "n": int((labels == name).sum()),
                "recall": share(right[labels == name]),
                "abstention_rate": share(abstained[labels == name]),
                "detected_or_abstained": share((right | abstained)[labels == name]),
            }
            for name in np.unique(labels)
        },
    }
