"""Prediction sets: the classes that an image could belong to, with a stated error rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from twincam.confidence.calibration import log_loss, logits_and_truth
from twincam.statistics.probabilities import log_softmax

if TYPE_CHECKING:
    import pandas as pd


def thresholds(
    scored: pd.DataFrame, classes: Sequence[str], alpha: float
) -> tuple[dict[str, float] | None, str]:
    """Return the largest score at which a class still belongs to a prediction set, by class.

    Class-conditional split conformal prediction (Vovk, ACML 2012) on out-of-fold scores, as
    in cross-conformal prediction and the CV+ (Barber et al., Annals of Statistics 2021): of
    the n images of a class, the score of rank ceil((n + 1) (1 - alpha)). If they were scored by the
    final model, at least 1 - alpha of each class's images would have their class in their set;
    here this holds only approximately.

    Args:
        scored: ``id, label, logit_<class>…``; the scores of one image's rows are averaged.
        classes: the K labels.
        alpha: the share of images whose set may lack their class.

    Returns:
        None and the reason where a class has too few images for the rank to exist.
    """
    import pandas as pd

    if scored.empty:
        return None, "no training image has an out-of-fold score"
    score = pd.Series(log_loss(*logits_and_truth(scored, classes)), index=scored.index)
    by_image = score.groupby([scored["label"], scored["id"]]).mean()
    found = {}
    for name in classes:
        own = np.sort(by_image[by_image.index.get_level_values("label") == name])
        rank = int(np.ceil((len(own) + 1) * (1 - alpha) - 1e-9))
        if rank > len(own):
            fewest = int(np.ceil(1 / alpha - 1 - 1e-9))
            return None, (
                f"class {name!r} has out-of-fold scores of {len(own)} training images, "
                f"{fewest} are needed at alpha = {alpha:g}"
            )
        found[name] = float(own[rank - 1])
    return found, ""


def prediction_sets(
    logits: np.ndarray, limits: Mapping[str, float], classes: Sequence[str]
) -> np.ndarray:
    """Return which classes belong to the set of each image, bool ``[N,K]``.

    A class's score is its negative log-probability, from the logits, to avoid saturation. The
    predicted class always belongs to the set (as in RAPS, Angelopoulos et al., ICLR 2021): where
    accuracy exceeds 1 - alpha, ambiguous images would else have empty sets.
    """
    score = -log_softmax(logits.astype(np.float64))
    sets = score <= np.array([limits[name] for name in classes])
    sets[np.arange(len(sets)), logits.argmax(axis=1)] = True
    return np.asarray(sets)


def unsure_by_set(sets: np.ndarray) -> np.ndarray:
    """Return, bool ``[N]``, whether the set ``[N,K]`` holds more than the predicted class."""
    return np.asarray(sets.sum(axis=1) > 1)
