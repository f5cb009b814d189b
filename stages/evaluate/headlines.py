"""The headline figures by which branches are compared."""

from collections.abc import Mapping
from typing import Any

from twincam.files.tables import headline_split


def headlines(details: Mapping[str, Any]) -> dict[str, Any]:
    """Return the headlines of test where there is one, else of val, and which ``split`` it is.

    Accuracy and AUC with their intervals; the ``abstention_rate`` and the ``accuracy_when_sure``;
    and ``nll``, after the temperature where there is one. What was not measured is omitted.

    Args:
        details: `stages.evaluate.splits.split_figures` by split.
    """
    split = headline_split(details)
    if split is None:
        return {}
    figures = details[split]
    unsure, calibration = figures["unsure"], figures["calibration"]
    found = {"accuracy": figures["accuracy"], "roc_auc": figures["roc_auc"]}
    found = {"split": split, **{name: one for name, one in found.items() if one.n}}
    for name in ("abstention_rate", "accuracy_when_sure"):
        if name in unsure and unsure[name].n:
            found[name] = unsure[name].value
    for moment in ("before", "after"):
        if moment in calibration:
            found["nll"] = calibration[moment]["nll"].value
    return found
