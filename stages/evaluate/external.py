"""Figures of other sources, which were not used in training."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from twincam.files.deliveries import untouched_external
from twincam.files.predictions import predictions
from twincam.statistics.estimates import share

NO_GUARANTEE = "none: the thresholds were set without images of this source"


def external_predictions(
    deliveries: pd.DataFrame, classes: Sequence[str]
) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the predictions of the untouched external images, and their logits ``[N,K]``.

    Args:
        deliveries: ``data/deliveries.csv``.
        classes: the K labels.
    """
    rows = untouched_external(deliveries)
    logits = rows[[f"logit_{name}" for name in classes]].to_numpy(float).reshape(-1, len(classes))
    return predictions(rows, logits, classes), logits


def source_figures(rows: pd.DataFrame, unsure: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``n``, ``accuracy`` and the block ``unsure`` of one source, also by class.

    ``detected_or_abstained`` of a class is the share of its images that are classified correctly or
    abstained on. All shares have Wilson's interval.

    Args:
        rows: the source's rows of `twincam.confidence.verdicts.with_verdicts`.
        unsure: the block ``unsure`` of these rows.
    """
    right = (rows["predicted"] == rows["label"]).to_numpy()
    abstained = rows["unsure"].to_numpy()
    labels = rows["label"].to_numpy()
    return {
        "n": len(rows),
        "accuracy": share(right),
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
