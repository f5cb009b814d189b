"""How many verdicts are "unsure", why, and the accuracy of the others."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from twincam.confidence.calibration import truth_of
from twincam.confidence.prediction_sets import unsure_by_set
from twincam.confidence.verdicts import FOUND, ConfidenceModel, Verdicts
from twincam.files.metrics import Estimate
from twincam.statistics.estimates import share

GUARANTEE = (
    "approximate: the thresholds come from models trained on parts of the training images, not "
    "from the final model, and apply to images of the same sources"
)


def unsure_figures(
    verdicts: Verdicts, model: ConfidenceModel, classes: Sequence[str]
) -> dict[str, Any]:
    """Return the block ``unsure`` of N images: how many, why, and the accuracy of the others.

    ``abstention_rate`` is the share of unsure verdicts, of which ``by_margin``, ``by_set`` and
    ``by_traces`` are the causes, where measured (an image may have several);
    ``accuracy_when_sure`` is that of the others. ``coverage`` is the share of sets that contain
    the true class, to be compared with ``nominal``, also by class. ``skipped`` is the reason why
    something was not measured. All shares have Wilson's interval.
    """
    table, sets = verdicts.table, verdicts.sets
    labels, sure = table["label"].to_numpy(), ~table["unsure"].to_numpy()
    causes = _by_traces(table["traces"].to_numpy(str))
    if model.least_margin is not None:
        causes |= {"by_margin": share(table["weak"].to_numpy())}
    if sets is None and not causes:
        return {"n": len(table), "skipped": model.no_limits}
    found: dict[str, Any] = {
        "n": len(table),
        "abstention_rate": share(~sure),
        **causes,
        "n_sure": int(sure.sum()),
        "accuracy_when_sure": share((table["predicted"].to_numpy() == labels)[sure]),
    }
    if sets is None:
        return {**found, "skipped": model.no_limits}
    held = sets[np.arange(len(sets)), truth_of(table, classes)]
    return {
        **found,
        "guarantee": GUARANTEE,
        "alpha": model.alpha,
        "nominal": 1 - model.alpha,
        "by_set": share(unsure_by_set(sets)),
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
