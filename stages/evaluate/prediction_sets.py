"""When to say "unsure": prediction sets from out-of-fold scores, and verdicts that do not last."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import log_softmax

from stages.evaluate.calibration import log_loss, logits_and_truth, truth_of
from twincam.files.deliveries import AS_IS
from twincam.files.metrics import Estimate
from twincam.files.predictions import join_names
from twincam.statistics.estimates import share

UNSURE, FOUND = "unsure", "found"
GUARANTEE = (
    "approximate: the thresholds come from models trained on parts of the training images, not "
    "from the final one, and hold for images of the same sources"
)


def thresholds(
    scored: pd.DataFrame, classes: Sequence[str], alpha: float
) -> tuple[dict[str, float] | None, str]:
    """Return the largest score at which a class still belongs to a prediction set, by class.

    Class-conditional split conformal prediction (Vovk, ACML 2012) on out-of-fold scores, as
    cross-conformal prediction and the CV+ have it (Barber et al., Annals of Statistics 2021): of
    the n images of a class, the score of rank ceil((n + 1) (1 - alpha)). Were they scored by the
    final model, at least 1 - alpha of each class's images would have their class in their set;
    here this holds approximately.

    Args:
        scored: ``id, label, logit_<class>…``; of the rows of one image the mean score counts.
        classes: the K labels.
        alpha: the share of images whose set may lack their class.

    Returns:
        None and the reason where a class has too few images for the rank to exist.
    """
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

    A class's score is its negative log-probability, from the logits, so that nothing saturates.
    """
    score = -log_softmax(logits.astype(np.float64), axis=1)
    return score <= np.array([limits[name] for name in classes])


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
    sent = deliveries[deliveries["delivery"] != AS_IS]
    logits = sent[[f"logit_{name}" for name in classes]].to_numpy(float).reshape(-1, len(classes))
    verdict = pd.Series(np.array(classes)[logits.argmax(axis=1)], index=sent.index, dtype=object)
    wide = sent.assign(verdict=verdict).pivot(index="id", columns="delivery", values="verdict")
    wide = wide.reindex(index=table["id"], columns=sent["delivery"].unique())
    flips = wide.ne(table["predicted"].to_numpy(), axis=0).astype(float)
    return flips.mask(wide.isna()).reset_index(drop=True)


def with_verdicts(
    table: pd.DataFrame,
    calibrated: np.ndarray | None,
    sets: np.ndarray | None,
    flips: pd.DataFrame,
    doubted: np.ndarray | None,
    classes: Sequence[str],
) -> pd.DataFrame:
    """Return ``table`` with the columns ``calibrated, set, flips, traces, unsure, verdict``.

    ``unsure`` is True where the set is not the predicted label alone, any delivery flips it or
    traces speak against it. (A set may hold another class alone: then it contradicts the
    prediction.) ``verdict`` says it to a reader: the predicted label or `UNSURE`, which a class may
    be called, too. Sets and flips are written by `twincam.files.predictions.join_names`.

    Args:
        table: predictions of N images.
        calibrated: confidence ``[N]`` after the temperature; None leaves the column empty.
        sets: from `prediction_sets`, of the same images; None leaves the column empty.
        flips: from `flips_by_delivery`, of the same images.
        doubted: bool ``[N]``, where traces speak against the prediction; None where none were
            looked for.
        classes: the K labels.
    """
    unsure = flips.eq(1).any(axis=1).to_numpy()
    if doubted is not None:
        unsure = unsure | doubted
    if sets is not None:
        unsure = unsure | unsure_by_set(table, sets, classes)
    return table.assign(
        calibrated=np.nan if calibrated is None else calibrated,
        set="" if sets is None else [join_names(np.array(classes)[row]) for row in sets],
        flips=[join_names(flips.columns[row == 1]) for row in flips.to_numpy()],
        traces="" if doubted is None else np.where(doubted, FOUND, "none"),
        unsure=unsure,
        verdict=table["predicted"].mask(unsure, UNSURE),
    )


def unsure_by_set(table: pd.DataFrame, sets: np.ndarray, classes: Sequence[str]) -> np.ndarray:
    """Return, bool ``[N]``, where the set ``[N,K]`` is not the predicted class alone."""
    predicted = table["predicted"].to_numpy()[:, None] == np.array(classes)
    return (sets != predicted).any(axis=1)


def unsure_figures(
    table: pd.DataFrame,
    sets: np.ndarray | None,
    flips: pd.DataFrame,
    classes: Sequence[str],
    alpha: float,
    reason: str,
) -> dict[str, Any]:
    """Return the block ``unsure`` of N images: how many, why, and what the others are worth.

    ``abstention_rate`` is the share of unsure verdicts, of which ``by_set``, ``by_delivery`` and,
    where they were looked for, ``by_traces`` say the causes (an image may have several; without
    sets the others alone decide, and ``skipped`` says why); ``accuracy_when_sure`` is that of the
    others. ``coverage`` is the share of sets that hold the true class, to be read beside
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
    judged = flips.notna().any(axis=1).to_numpy()
    if sets is None and not judged.any():
        return {"n": len(table), "skipped": f"{reason}; and no delivery was judged"}
    found: dict[str, Any] = {
        "n": len(table),
        "abstention_rate": share(~sure),
        "by_delivery": share(flips.eq(1).any(axis=1).to_numpy()[judged]),
        "n_delivered": int(judged.sum()),
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
        "by_set": share(unsure_by_set(table, sets, classes)),
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
