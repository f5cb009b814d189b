"""How small a margin makes a verdict unsure, for a stated share of images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from twincam.confidence.calibration import logits_and_truth
from twincam.statistics.margins import margins

if TYPE_CHECKING:
    import pandas as pd


def fit_least_margin(
    scored: pd.DataFrame, classes: Sequence[str], share: float
) -> tuple[float | None, str]:
    """Return the margin below which a verdict is unsure, or None and the reason.

    Of n out-of-fold scores the margin of rank floor((n + 1) share): of images that are scored like
    these, at most ``share`` lie below it, as in split conformal prediction (see
    `prediction_sets.thresholds`).

    Args:
        scored: out-of-fold scores, ``label, logit_<class>…``; repeats are further rows.
        classes: the K labels.
        share: of images that may be unsure for this reason, 0 to 1.
    """
    if scored.empty:
        return None, "no training image has an out-of-fold score"
    found = np.sort(margins(logits_and_truth(scored, classes)[0]))
    rank = int(np.floor((len(found) + 1) * share + 1e-9))
    if not rank:
        fewest = int(np.ceil(1 / share - 1 - 1e-9))
        n = len(found)
        return None, f"{n} out-of-fold scores, {fewest} are needed for a share of {share:g}"
    return float(found[rank - 1]), ""


def is_weak(scores: np.ndarray, least_margin: float | None) -> np.ndarray:
    """Return, bool ``[N]``, whether the margin of scores ``[N,K]`` is below ``least_margin``."""
    return np.asarray(margins(scores) < (least_margin or 0.0))
