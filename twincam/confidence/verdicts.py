"""The verdict on an image: its predicted class, or "unsure" and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from twincam.confidence.calibration import confidences, fit_temperature
from twincam.confidence.prediction_sets import prediction_sets, thresholds, unsure_by_set
from twincam.files.deliveries import AS_IS
from twincam.files.predictions import join_names

if TYPE_CHECKING:
    import pandas as pd

UNSURE, FOUND = "unsure", "found"


class ConfidenceModel(NamedTuple):
    """Fitted to out-of-fold scores: a temperature and the limits of prediction sets.

    Each is None if it could not be fitted; ``no_temperature`` or ``no_limits`` is the reason.
    """

    temperature: float | None
    no_temperature: str
    limits: dict[str, float] | None
    no_limits: str
    alpha: float


class Evidence(NamedTuple):
    """Further evidence on images: their deliveries, and the ids of those with traces.

    ``traced`` is None if traces were not measured; they count against the prediction
    ``real_class``.
    """

    deliveries: pd.DataFrame
    traced: frozenset[str] | None
    real_class: str | None


class Verdicts(NamedTuple):
    """N images: the table of verdicts, logits ``[N,K]``, sets bool ``[N,K]`` or None, flips."""

    table: pd.DataFrame
    logits: np.ndarray
    sets: np.ndarray | None
    flips: pd.DataFrame

    def part(self, column: str, value: str) -> Verdicts:
        """Return the images whose ``column`` of the table is ``value``."""
        own = (self.table[column] == value).to_numpy()
        sets = None if self.sets is None else self.sets[own]
        return Verdicts(self.table[own], self.logits[own], sets, self.flips[own])


def fit_confidence(scored: pd.DataFrame, classes: Sequence[str], alpha: float) -> ConfidenceModel:
    """Fit to out-of-fold scores, ``id, label, logit_<class>…``."""
    temperature, no_temperature = fit_temperature(scored, classes)
    limits, no_limits = thresholds(scored, classes, alpha)
    return ConfidenceModel(temperature, no_temperature, limits, no_limits, alpha)


def verdicts_of(
    table: pd.DataFrame,
    logits: np.ndarray,
    model: ConfidenceModel,
    evidence: Evidence,
    classes: Sequence[str],
) -> Verdicts:
    """Return the verdicts on N images.

    Args:
        table: from `twincam.files.predictions.predictions`.
        logits: ``[N,K]``, of the same images.
        model: from `fit_confidence`.
        evidence: of the same images.
        classes: the K labels.
    """
    temperature, limits = model.temperature, model.limits
    calibrated = None if temperature is None else confidences(logits / temperature)
    sets = None if limits is None else prediction_sets(logits, limits, classes)
    flips = flips_by_delivery(table, evidence.deliveries, classes)
    doubted = None
    if evidence.traced is not None:
        genuine = table["predicted"] == evidence.real_class
        doubted = (genuine & table["id"].isin(evidence.traced)).to_numpy()
    verdicts = with_verdicts(table, calibrated, sets, flips, doubted, classes)
    return Verdicts(verdicts, logits, sets, flips)


def traced_ids(traces: pd.DataFrame) -> frozenset[str] | None:
    """Return the ids with traces in ``data/forensics.csv``; None if not measured."""
    if traces.empty:
        return None
    return frozenset(traces.loc[traces["traced"].astype(bool), "id"])


def flips_by_delivery(
    table: pd.DataFrame, deliveries: pd.DataFrame, classes: Sequence[str]
) -> pd.DataFrame:
    """Return whether the verdict on each image of ``table`` flips, a row an image.

    Args:
        table: predictions, ``id, predicted``.
        deliveries: ``data/deliveries.csv``: ``id, delivery, logit_<class>…``.
        classes: the K labels.

    Returns:
        A column for each delivery but the untouched image, in the order of ``deliveries``; 1 where
        another class is predicted than in ``table``, 0 where the same, NaN where not delivered.
    """
    import pandas as pd

    sent = deliveries[deliveries["delivery"] != AS_IS]
    logits = sent[[f"logit_{name}" for name in classes]].to_numpy(float).reshape(-1, len(classes))
    verdict = pd.Series(np.array(classes)[logits.argmax(axis=1)], index=sent.index, dtype=object)
    wide = sent.assign(verdict=verdict).pivot(index="id", columns="delivery", values="verdict")
    wide = wide.reindex(index=table["id"], columns=sent["delivery"].unique())
    flips = wide.ne(table["predicted"].to_numpy(), axis=0).astype(float)
    return flips.mask(wide.isna()).reset_index(drop=True)


def unsure_verdicts(
    predicted: np.ndarray,
    sets: np.ndarray | None,
    flipped: np.ndarray,
    doubted: np.ndarray | None,
    classes: Sequence[str],
) -> np.ndarray:
    """Return, bool ``[N]``, which verdicts are unsure.

    The set is not the predicted class alone, any delivery flips it or traces contradict it. (A set
    may contain another class alone: then it contradicts the prediction.)

    Args:
        predicted: classes ``[N]``.
        sets: from `prediction_sets`, ``[N,K]``; None if there are none.
        flipped: bool ``[N,D]``, whether each of D deliveries is predicted otherwise.
        doubted: bool ``[N]``, whether traces contradict the prediction; None if not measured.
        classes: the K labels.
    """
    unsure = flipped.any(axis=1)
    if doubted is not None:
        unsure = unsure | doubted
    if sets is not None:
        unsure = unsure | unsure_by_set(predicted, sets, classes)
    return np.asarray(unsure)


def with_verdicts(
    table: pd.DataFrame,
    calibrated: np.ndarray | None,
    sets: np.ndarray | None,
    flips: pd.DataFrame,
    doubted: np.ndarray | None,
    classes: Sequence[str],
) -> pd.DataFrame:
    """Return ``table`` with the columns ``calibrated, set, flips, traces, unsure, verdict``.

    ``unsure`` is from `unsure_verdicts`. ``verdict`` is for display: the predicted label or
    `UNSURE`, which may also be the name of a class. Sets and flips are written by
    `twincam.files.predictions.join_names`.

    Args:
        table: predictions of N images.
        calibrated: confidence ``[N]`` after the temperature; None leaves the column empty.
        sets: from `prediction_sets`, of the same images; None leaves the column empty.
        flips: from `flips_by_delivery`, of the same images.
        doubted: bool ``[N]``, whether traces contradict the prediction; None if traces were
            not measured.
        classes: the K labels.
    """
    flipped, predicted = (flips == 1).to_numpy(bool), table["predicted"].to_numpy()
    unsure = unsure_verdicts(predicted, sets, flipped, doubted, classes)
    return table.assign(
        calibrated=np.nan if calibrated is None else calibrated,
        set="" if sets is None else [join_names(np.array(classes)[row]) for row in sets],
        flips=[join_names(flips.columns[row]) for row in flipped],
        traces="" if doubted is None else np.where(doubted, FOUND, "none"),
        unsure=unsure,
        verdict=table["predicted"].mask(unsure, UNSURE),
    )
