"""Judge images with everything that the scores of cross-validation and the deliveries tell."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from stages.evaluate.calibration import (
    FEWEST,
    calibration,
    confidences,
    fit_temperature,
    reliability,
    truth_of,
)
from stages.evaluate.external import source_figures
from stages.evaluate.given_shortcut import given_shortcuts
from stages.evaluate.prediction_sets import (
    flips_by_delivery,
    prediction_sets,
    thresholds,
    unsure_figures,
    with_verdicts,
)
from stages.evaluate.scores import scores
from stages.evaluate.selective import selective_figures
from twincam.files.messages import warn


class Learned(NamedTuple):
    """What the out-of-fold scores teach: a temperature and the limits of prediction sets.

    Each is None where it could not be had, and ``no_temperature`` or ``no_limits`` says why.
    """

    temperature: float | None
    no_temperature: str
    limits: dict[str, float] | None
    no_limits: str
    alpha: float


class Evidence(NamedTuple):
    """What else was found about images: their deliveries, and the ids of those with traces.

    ``traced`` is None where no traces were looked for; they bear on what is taken for the class
    ``real_class``.
    """

    deliveries: pd.DataFrame
    traced: frozenset[str] | None
    real_class: str | None


class Judged(NamedTuple):
    """N images: the table of verdicts, logits ``[N,K]``, sets bool ``[N,K]`` or None, flips."""

    table: pd.DataFrame
    logits: np.ndarray
    sets: np.ndarray | None
    flips: pd.DataFrame

    def part(self, column: str, value: str) -> "Judged":
        """Return the images whose ``column`` of the table is ``value``."""
        own = (self.table[column] == value).to_numpy()
        sets = None if self.sets is None else self.sets[own]
        return Judged(self.table[own], self.logits[own], sets, self.flips[own])


def learn(scored: pd.DataFrame, classes: Sequence[str], alpha: float) -> Learned:
    """Learn from out-of-fold scores, ``id, label, logit_<class>…``; say what cannot be learnt."""
    temperature, no_temperature = fit_temperature(scored, classes)
    limits, no_limits = thresholds(scored, classes, alpha)
    if no_temperature:
        warn("evaluate", f"temperature skipped: {no_temperature}")
    if no_limits:
        warn("evaluate", f"prediction sets skipped: {no_limits}")
    return Learned(temperature, no_temperature, limits, no_limits, alpha)


def judge(
    table: pd.DataFrame,
    logits: np.ndarray,
    learned: Learned,
    evidence: Evidence,
    classes: Sequence[str],
) -> Judged:
    """Return the verdicts on N images.

    Args:
        table: from `twincam.files.predictions.predictions`.
        logits: ``[N,K]``, of the same images.
        learned: from `learn`.
        evidence: what else was found about them.
        classes: the K labels.
    """
    temperature, limits = learned.temperature, learned.limits
    calibrated = None if temperature is None else confidences(logits / temperature)
    sets = None if limits is None else prediction_sets(logits, limits, classes)
    flips = flips_by_delivery(table, evidence.deliveries, classes)
    doubted = None
    if evidence.traced is not None:
        genuine = table["predicted"] == evidence.real_class
        doubted = (genuine & table["id"].isin(evidence.traced)).to_numpy()
    verdicts = with_verdicts(table, calibrated, sets, flips, doubted, classes)
    return Judged(verdicts, logits, sets, flips)


def traced_ids(traces: pd.DataFrame) -> frozenset[str] | None:
    """Return the ids with traces in ``data/forensics.csv``; None where none were looked for."""
    if traces.empty:
        return None
    return frozenset(traces.loc[traces["traced"].astype(bool), "id"])


def split_figures(
    judged: Judged, audit: pd.DataFrame, learned: Learned, classes: Sequence[str], seed: int
) -> dict[str, Any]:
    """Return the figures of one evaluated split; ``skipped`` says what is missing and why."""
    table = judged.table
    truth = truth_of(table, classes)
    calibrated = calibration(
        judged.logits, truth, learned.temperature, learned.no_temperature, seed
    )
    if "before" not in calibrated:
        name = table["split"].iloc[0]
        warn("evaluate", f"calibration of {name} skipped: {calibrated['skipped']}")
    return {
        **scores(table, classes, seed),
        **given_shortcuts(table, audit, classes, seed),
        "calibration": calibrated,
        "risk_coverage": selective_figures(table, seed),
        "unsure": unsure_of(judged, learned, classes),
    }


def reliability_diagrams(
    parts: Mapping[str, Judged], learned: Learned, classes: Sequence[str], seed: int
) -> dict[str, dict[str, pd.DataFrame]]:
    """Return the reliability diagrams, by split and before and after the temperature."""
    found = {}
    for name, part in parts.items():
        moments = {"before": part.logits}
        if learned.temperature is not None:
            moments["after"] = part.logits / learned.temperature
        if len(part.table) >= FEWEST:
            truth = truth_of(part.table, classes)
            found[name] = {
                moment: reliability(logits, truth, seed) for moment, logits in moments.items()
            }
    return found


def external_figures(
    judged: Judged, learned: Learned, classes: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Return the figures of all external images by source; empty without any."""
    by_source = {str(name): judged.part("source", name) for name in judged.table["source"].unique()}
    return {
        name: source_figures(part.table, unsure_of(part, learned, classes))
        for name, part in by_source.items()
    }


def unsure_of(judged: Judged, learned: Learned, classes: Sequence[str]) -> dict[str, Any]:
    """Return the block ``unsure`` of ``judged``."""
    return unsure_figures(
        judged.table, judged.sets, judged.flips, classes, learned.alpha, learned.no_limits
    )
