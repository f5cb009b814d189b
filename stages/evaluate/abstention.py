"""How many verdicts are "unsure", why, and the accuracy of the others."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from twincam.confidence.calibration import truth_of
from twincam.confidence.prediction_sets import unsure_by_set
from twincam.confidence.verdicts import FOUND
from twincam.files.metrics import Estimate
from twincam.statistics.estimates import share

GUARANTEE = (
    "approximate: the thresholds come from models trained on parts of the training images, not "
    "from the final model, and apply to images of the same sources"
)


def unsure_figures(
    table: pd.DataFrame,
    sets: np.ndarray | None,
    flips: pd.DataFrame,
    classes: Sequence[str],
    alpha: float,
    reason: str,
) -> dict[str, Any]:
    """Return the block ``unsure`` of N images: how many, why, and the accuracy of the others.

    ``abstention_rate`` is the share of unsure verdicts, of which ``by_set``, ``by_delivery`` and,
    where measured, ``by_traces`` are the causes (an image may have several; without sets only the
    other causes apply, and ``skipped`` gives the reason); ``accuracy_when_sure`` is that of the
    others. ``coverage`` is the share of sets that contain the true class, to be compared with
    ``nominal``, also by class; ``deliveries`` give the ``flip_rate`` of each delivery. All shares
    have Wilson's interval.

    Args:
        table: from `with_verdicts`.
        sets: ``[N,K]`` or None.
        flips: from `flips_by_delivery`, of the same images.
        classes: the K labels.
        alpha: of the sets.
        reason: why there are no sets.
    """
    labels, sure = table["label"].to_numpy(), ~table["unsure"].to_numpy()
    delivered = {name: flips[name].dropna().to_numpy() for name in flips}
    with_delivery = flips.notna().any(axis=1).to_numpy()
    if sets is None and not with_delivery.any():
        return {"n": len(table), "skipped": f"{reason}; and no delivery was classified"}
    found: dict[str, Any] = {
        "n": len(table),
        "abstention_rate": share(~sure),
        "by_delivery": share(flips.eq(1).any(axis=1).to_numpy()[with_delivery]),
        "n_delivered": int(with_delivery.sum()),
        **_by_traces(table["traces"].to_numpy(str)),
        "n_sure": int(sure.sum()),
        "accuracy_when_sure": share((table["predicted"].to_numpy() == labels)[sure]),
        "deliveries": {
            name: {"n": len(one), "flip_rate": share(one)}
            for name, one in delivered.items()
            if len(one)
        },
    }
    if sets is None:
        return {**found, "skipped": reason}
    held = sets[np.arange(len(sets)), truth_of(table, classes)]
    return {
        **found,
        "guarantee": GUARANTEE,
        "alpha": alpha,
        "nominal": 1 - alpha,
        "by_set": share(unsure_by_set(table["predicted"].to_numpy(), sets, classes)),
        "empty_sets": share(np.logical_not(sets.any(axis=1))),
        "coverage": share(held),
        "per_class": {
            name: {
                "n": int((labels == name).sum()),
                "coverage": share(held[labels == name]),
                "abstention_rate": share(~sure[labels == name]),
            }
            for name in np.unique(labels)
        },
    }


def _by_traces(traces: np.ndarray) -> dict[str, Estimate]:
    looked_for = traces != ""
    return {"by_traces": share(traces == FOUND)} if looked_for.any() else {}
