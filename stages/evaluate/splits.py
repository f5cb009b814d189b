"""The figures of each evaluated split, and of each other source."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from stages.evaluate.abstention import unsure_figures
from stages.evaluate.calibration import calibration, reliability
from stages.evaluate.external import source_figures
from stages.evaluate.given_shortcut import given_shortcuts
from stages.evaluate.scores import beside_as_is, scores
from stages.evaluate.selective import selective_figures
from twincam.confidence.calibration import FEWEST, truth_of
from twincam.confidence.verdicts import ConfidenceModel, Verdicts
from twincam.files.messages import warn


def split_figures(
    verdicts: Verdicts,
    audit: pd.DataFrame,
    model: ConfidenceModel,
    classes: Sequence[str],
    seed: int,
) -> dict[str, Any]:
    """Return the figures of one evaluated split; ``skipped`` is why one is missing."""
    table = verdicts.table
    truth = truth_of(table, classes)
    calibrated = calibration(verdicts.scores, truth, model.temperature, model.no_temperature, seed)
    if "before" not in calibrated:
        name = table["split"].iloc[0]
        warn("evaluate", f"calibration of {name} skipped: {calibrated['skipped']}")
    return {
        **scores(table, classes, seed),
        **beside_as_is(table, seed),
        **given_shortcuts(table, audit, classes, seed),
        "calibration": calibrated,
        "risk_coverage": selective_figures(table, seed),
        "unsure": unsure_figures(verdicts, model, classes),
    }


def reliability_diagrams(
    parts: Mapping[str, Verdicts], model: ConfidenceModel, classes: Sequence[str], seed: int
) -> dict[str, dict[str, pd.DataFrame]]:
    """Return the reliability diagrams, by split, before and after temperature scaling."""
    found = {}
    for name, part in parts.items():
        moments = {"before": part.scores}
        if model.temperature is not None:
            moments["after"] = part.scores / model.temperature
        if len(part.table) >= FEWEST:
            truth = truth_of(part.table, classes)
            found[name] = {
                moment: reliability(scaled, truth, seed) for moment, scaled in moments.items()
            }
    return found


def external_figures(
    verdicts: Verdicts, model: ConfidenceModel, classes: Sequence[str], seed: int
) -> dict[str, dict[str, Any]]:
    """Return the figures of all external images by source; empty without any."""
    by_source = {
        str(name): verdicts.part("source", name) for name in verdicts.table["source"].unique()
    }
    return {
        name: source_figures(part.table, unsure_figures(part, model, classes), seed)
        for name, part in by_source.items()
    }
