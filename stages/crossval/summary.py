"""Figures of the out-of-fold scores: accuracy, spread, and labels that they contradict."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import softmax

from twincam.files.metrics import Estimate
from twincam.statistics.estimates import difference, share
from twincam.statistics.intervals import logit_interval, majority_share, stratified_resamples
from twincam.statistics.ranking import mean_auc


def probabilities(scored: pd.DataFrame, classes: Sequence[str]) -> np.ndarray:
    """Return the probabilities ``[N,K]`` of the columns ``logit_<class>``."""
    return softmax(scored[[f"logit_{name}" for name in classes]].to_numpy(np.float64), axis=1)


def headlines(details: Mapping[str, Any]) -> dict[str, Estimate | float]:
    """Return the accuracy with its interval and the AUC, out of fold."""
    if "skipped" in details:
        return {}
    auc = details.get("roc_auc")
    return {"accuracy": details["accuracy"], **({"roc_auc": auc.value} if auc else {})}


def accuracy_by_image(scored: pd.DataFrame, classes: Sequence[str]) -> pd.Series:
    """Return, by id, the share of its repeats in which each image is classified correctly."""
    predicted = np.array(classes)[probabilities(scored, classes).argmax(axis=1)]
    right = pd.Series(predicted == scored["label"], dtype=float)
    return right.groupby(scored["id"]).mean()


def gain_over(
    control: pd.DataFrame, name: str, scored: pd.DataFrame, classes: Sequence[str], seed: int
) -> dict[str, Estimate]:
    """Return the accuracy of a control, and how much higher that of ``scored`` is.

    Args:
        control: the images of ``scored`` in the same order, scored otherwise.
        name: of the control: the figures are ``accuracy_<name>`` and ``accuracy_over_<name>``.
        scored: as in `summarise`.
        classes: the labels.
        seed: of the bootstrap of the difference, paired by image.
    """
    own, other = (accuracy_by_image(table, classes).to_numpy() for table in (scored, control))
    return {
        f"accuracy_{name}": share(other),
        f"accuracy_over_{name}": difference(own, other, seed, "crossval", name),
    }


def summarise(scored: pd.DataFrame, classes: Sequence[str], seed: int) -> dict[str, Any]:
    """Return the accuracy and its spread, the AUC and the recalls, out of fold.

    Intervals count each image once, however often it was scored: Wilson's, of the mean over
    repeats. They cover other images of the same sources; the spread over folds and repeats shows
    the variation due to training and chance.

    Args:
        scored: ``id, repeat, fold, label, logit_<class>…``, from `scores_of`.
        classes: the labels.
        seed: of the bootstrap.
    """
    p = probabilities(scored, classes)
    right = pd.Series(np.array(classes)[p.argmax(axis=1)] == scored["label"], dtype=float)
    by_image = accuracy_by_image(scored, classes)
    label = scored.groupby("id")["label"].first()
    by_fold = right.groupby([scored["repeat"], scored["fold"]]).mean()
    by_repeat = right.groupby(scored["repeat"]).mean()
    return {
        "n": len(by_image),
        "folds": int(scored["fold"].max()),
        "repeats": len(by_repeat),
        "accuracy": share(by_image.to_numpy()),
        "majority_share": majority_share(label.to_numpy()),
        **roc_auc(scored, p, classes, seed),
        "per_class": {
            name: {
                "n": int((label == name).sum()),
                "recall": share(by_image[label == name].to_numpy()),
            }
            for name in classes
        },
        "of_folds": _spread(by_fold),
        **({"of_repeats": _spread(by_repeat)} if len(by_repeat) > 1 else {}),
    }


def roc_auc(
    scored: pd.DataFrame, p: np.ndarray, classes: Sequence[str], seed: int
) -> dict[str, Estimate]:
    """Return ``roc_auc``, the mean over repeats; empty with one class.

    The interval is from a bootstrap over images, stratified by class, each with all its scores.

    Args:
        scored: as in `summarise`, each image once in every repeat.
        p: probabilities of the same rows ``[N,K]``.
        classes: the labels.
        seed: of the bootstrap.
    """
    order = np.lexsort((scored["id"], scored["repeat"]))
    images = scored["id"].nunique()
    labels = scored["label"].to_numpy()[order][:images]
    by_repeat = p[order].reshape(-1, images, len(classes))
    counts = np.unique(labels, return_counts=True)[1]
    if len(counts) == 1:
        return {}

    def value(pick: np.ndarray) -> float:
        found = [mean_auc(labels[pick], one[pick], classes) for one in by_repeat]
        return float(np.mean([auc for auc in found if auc is not None]))

    resampled = np.array([value(pick) for pick in stratified_resamples(labels, seed, "crossval")])
    auc = value(np.arange(images))
    low, high = logit_interval(auc, resampled, int(np.minimum(counts, images - counts).min()))
    return {"roc_auc": Estimate(auc, low, high, images)}


def _spread(accuracies: pd.Series) -> dict[str, float]:
    return {
        "lowest": float(accuracies.min()),
        "highest": float(accuracies.max()),
        "standard_deviation": float(accuracies.std(ddof=1)),
        "count": len(accuracies),
    }


def contradicted(scored: pd.DataFrame, paths: pd.Series, classes: Sequence[str]) -> pd.DataFrame:
    """Return the training images whose label is contradicted by models not trained on them.

    They include label errors, and images that resemble the other class.

    Args:
        scored: as in `summarise`.
        paths: of the images, by id.
        classes: the labels.

    Returns:
        ``id, path, label, predicted, p_label`` (the mean over repeats of the probability of its
        label, below that of ``predicted``), the least probable label first.
    """
    p = pd.DataFrame(probabilities(scored, classes), columns=list(classes))
    mean = p.groupby(scored["id"].to_numpy()).mean()
    label = scored.groupby("id")["label"].first()
    own = mean.to_numpy()[np.arange(len(mean)), [classes.index(name) for name in label]]
    table = pd.DataFrame(
        {
            "id": mean.index,
            "path": paths[mean.index].to_numpy(),
            "label": label.to_numpy(),
            "predicted": mean.idxmax(axis=1).to_numpy(),
            "p_label": own,
        }
    )
    wrong = table[table["predicted"] != table["label"]]
    return wrong.sort_values(["p_label", "id"]).reset_index(drop=True)
