"""How images of other sources, which took no part in training, are judged."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from twincam.files.deliveries import untouched_external
from twincam.files.predictions import predictions
from twincam.statistics.intervals import share_with_interval

NO_GUARANTEE = "none: nothing of this source was seen when the thresholds were set"


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
    """Return the figures of one source: ``n``, ``accuracy`` and ``unsure``, also by class.

    ``caught_or_unsure`` of a class is the share of its images that are called so or unsure. All
    shares with 95 % Wilson intervals.

    Args:
        rows: the source's rows of `stages.evaluate.prediction_sets.with_verdicts`.
        unsure: the block ``unsure`` of these rows.
    """
    right = (rows["predicted"] == rows["label"]).to_numpy()
    spared = rows["unsure"].to_numpy()
    caught = right | spared
    labels = rows["label"].to_numpy()
    return {
        "n": len(rows),
        **short("accuracy", right),
        "unsure": {**unsure, "guarantee": NO_GUARANTEE},
        "per_class": {
            name: {
                "n": int((labels == name).sum()),
                **short("recall", right[labels == name]),
                **share_with_interval("unsure", spared[labels == name]),
                **share_with_interval("caught_or_unsure", caught[labels == name]),
            }
            for name in np.unique(labels)
        },
    }


def short(name: str, hits: np.ndarray) -> dict[str, float]:
    """Return the share of ``hits`` as ``name``, its interval as plain ``low`` and ``high``."""
    share = share_with_interval(name, hits)
    return {name: share[name], "low": share[f"{name}_low"], "high": share[f"{name}_high"]}
