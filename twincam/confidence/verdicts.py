"""The verdict on an image: its predicted class, or "unsure" and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from twincam.confidence.abstention import fit_least_margin, is_weak
from twincam.confidence.calibration import confidences, fit_temperature
from twincam.confidence.prediction_sets import prediction_sets, thresholds, unsure_by_set
from twincam.confidence.scores import scores_of, untouched
from twincam.files.deliveries import AS_IS
from twincam.files.predictions import join_names, predictions
from twincam.files.tables import logit_columns

if TYPE_CHECKING:
    import pandas as pd

UNSURE = "unsure"
FOUND, NONE = "found", "none"
"""Whether traces contradict a verdict."""


class ConfidenceModel(NamedTuple):
    """Fitted to out-of-fold scores: temperature, limits of prediction sets, and least margin.

    Each is None if it could not be fitted; ``no_temperature``, ``no_limits`` or
    ``no_least_margin`` is the reason.
    """

    temperature: float | None
    no_temperature: str
    limits: dict[str, float] | None
    no_limits: str
    alpha: float
    least_margin: float | None
    no_least_margin: str
    max_abstention: float


class Traces(NamedTuple):
    """The ids of images with traces, None if not measured; they count against ``real_class``."""

    found: frozenset[str] | None
    real_class: str | None


class Verdicts(NamedTuple):
    """N images: the table of verdicts, scores ``[N,K]``, and sets bool ``[N,K]`` or None."""

    table: pd.DataFrame
    scores: np.ndarray
    sets: np.ndarray | None

    def part(self, column: str, value: str) -> Verdicts:
        """Return the images whose ``column`` of the table is ``value``."""
        own = (self.table[column] == value).to_numpy()
        sets = None if self.sets is None else self.sets[own]
        return Verdicts(self.table[own], self.scores[own], sets)


def fit_confidence(
    scored: pd.DataFrame, classes: Sequence[str], alpha: float, max_abstention: float
) -> ConfidenceModel:
    """Fit to out-of-fold scores.

    Args:
        scored: ``id, label, logit_<class>…``, from `scores_of`.
        classes: the K labels.
        alpha: of prediction sets, see `thresholds`.
        max_abstention: see `fit_least_margin`.
    """
    temperature, no_temperature = fit_temperature(scored, classes)
    limits, no_limits = thresholds(scored, classes, alpha)
    least, no_least = fit_least_margin(scored, classes, max_abstention)
    return ConfidenceModel(
        temperature, no_temperature, limits, no_limits, alpha, least, no_least, max_abstention
    )


def verdicts_of(
    delivered: pd.DataFrame, model: ConfidenceModel, traces: Traces, classes: Sequence[str]
) -> Verdicts:
    """Return the verdicts on N images.

    The table is that of `predictions` of their scores, with the columns ``as_is`` (the class
    predicted for the image as it is), ``calibrated`` (confidence after the temperature), ``set``,
    ``flips`` (the deliveries with another prediction than as it is), ``weak``, ``traces``,
    ``unsure`` and ``verdict``. The last is for display: the predicted label or `UNSURE`, which may
    also be the name of a class. Sets and flips are written by
    `twincam.files.predictions.join_names`.

    Args:
        delivered: ``data/deliveries.csv``, or rows of it.
        model: from `fit_confidence`.
        traces: of any images.
        classes: the K labels.
    """
    plain, scored = untouched(delivered), scores_of(delivered, classes)
    scores, logits = (_logits(table, classes) for table in (scored, plain))
    table = predictions(plain, scores, classes)
    as_is = np.array(classes)[logits.argmax(axis=1)]
    temperature, limits = model.temperature, model.limits
    sets = None if limits is None else prediction_sets(scores, limits, classes)
    flips = flips_by_delivery(delivered, classes)
    weak = is_weak(scores, model.least_margin)
    doubted = None
    if traces.found is not None:
        genuine = table["predicted"] == traces.real_class
        doubted = (genuine & table["id"].isin(traces.found)).to_numpy()
    unsure = unsure_verdicts(sets, weak, doubted)
    verdicts = table.assign(
        as_is=as_is,
        calibrated=np.nan if temperature is None else confidences(scores / temperature),
        set="" if sets is None else [join_names(np.array(classes)[row]) for row in sets],
        flips=[join_names(flips.columns[row]) for row in flips.to_numpy(bool)],
        weak=weak,
        traces="" if doubted is None else np.where(doubted, FOUND, NONE),
        unsure=unsure,
        verdict=table["predicted"].mask(unsure, UNSURE),
    )
    return Verdicts(verdicts, scores, sets)


def traced_ids(traces: pd.DataFrame) -> frozenset[str] | None:
    """Return the ids with traces in ``data/forensics.csv``; None if not measured."""
    if traces.empty:
        return None
    return frozenset(traces.loc[traces["traced"].astype(bool), "id"])


def flips_by_delivery(delivered: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """Return whether each delivery is predicted otherwise than the image as it is, a row an image.

    Args:
        delivered: as for `scores_of`.
        classes: the K labels.

    Returns:
        A column, bool, for each delivery but the untouched image.
    """
    import pandas as pd

    names = delivered["delivery"].unique()
    best = _logits(delivered, classes).argmax(axis=1).reshape(-1, max(len(names), 1))
    flips = pd.DataFrame(best != best[:, :1], columns=names if len(names) else [AS_IS])
    return flips.drop(columns=AS_IS)


def unsure_verdicts(
    sets: np.ndarray | None, weak: np.ndarray, doubted: np.ndarray | None
) -> np.ndarray:
    """Return, bool ``[N]``, which verdicts are unsure.

    The margin is small, the set holds more than the predicted class, or traces contradict it.

    Args:
        sets: from `prediction_sets`, ``[N,K]``; None if there are none.
        weak: from `is_weak`, ``[N]``.
        doubted: bool ``[N]``, whether traces contradict the prediction; None if not measured.
    """
    unsure = weak
    if doubted is not None:
        unsure = unsure | doubted
    if sets is not None:
        unsure = unsure | unsure_by_set(sets)
    return np.asarray(unsure)


def _logits(table: pd.DataFrame, classes: Sequence[str]) -> np.ndarray:
    return table[logit_columns(classes)].to_numpy(float).reshape(-1, len(classes))
