"""What a fitted prototype network is worth, and the guards against its known ways to collapse."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from stages.common.statistics import mcnemar, mean_with_interval, share_with_interval
from stages.protopnet.training import Fitted


def split_figures(
    labels: np.ndarray, logits: np.ndarray, classifier_logits: np.ndarray, seed: int
) -> dict[str, Any]:
    """Return accuracy, recall and the paired gap to the classifier on one split.

    ``classifier_gap`` is the classifier's accuracy minus this one's, with a bootstrap interval
    over images and McNemar's exact p.

    Args:
        labels: class indices ``[N]``.
        logits: of the prototype network, ``[N,K]``.
        classifier_logits: of the classifier, ``[N,K]``.
        seed: of the bootstrap.
    """
    correct = logits.argmax(axis=1) == labels
    reference = classifier_logits.argmax(axis=1) == labels
    recall = [float(correct[labels == name].mean()) for name in np.unique(labels)]
    gap = reference.astype(float) - correct
    return {
        "n": len(labels),
        **share_with_interval("accuracy", correct),
        "balanced_accuracy": float(np.mean(recall)),
        "lowest_class_recall": min(recall),
        **mean_with_interval("classifier_gap", gap, seed, "classifier gap"),
        "classifier_gap_p": mcnemar(reference, correct),
    }


def prototype_figures(fitted: Fitted, classes: Sequence[str]) -> dict[str, Any]:
    """Return how many prototypes there are, from how many images, and how many give points."""
    owner, points = fitted.net.owner.cpu().numpy(), fitted.net.points.cpu().numpy()
    return {
        "total": len(owner),
        "distinct_images": len(np.unique(fitted.source[:, 0])),
        "live": {name: int((points[owner == k] > 0).sum()) for k, name in enumerate(classes)},
    }


def projection_figures(fitted: Fitted, labels: np.ndarray) -> dict[str, float]:
    """Return the accuracy before and after projection and after the refit, and the first step's p.

    Args:
        fitted: with logits ``[N,K]`` of the images that ``labels`` belong to.
        labels: ``[N]``.
    """
    before, after, refitted = (
        logits.argmax(axis=1) == labels for logits in (fitted.before, fitted.after, fitted.refitted)
    )
    return {
        "accuracy_before": float(before.mean()),
        "accuracy_after": float(after.mean()),
        "accuracy_refit": float(refitted.mean()),
        "loss_p": mcnemar(before, after),
    }


def broken_guards(metrics: dict[str, Any], source: np.ndarray, classes: Sequence[str]) -> list[str]:
    """Return a sentence for each way in which the network collapsed; none when it holds.

    Args:
        metrics: what the functions above return, under ``val``, ``prototypes``, ``projection``.
        source: row, cell row and cell column ``[P,3]`` of each prototype's patch.
        classes: the labels.
    """
    asked = metrics["prototypes"]["total"] / len(classes)
    few = {name: n for name, n in metrics["prototypes"]["live"].items() if n < asked / 2}
    recall, chance = metrics["val"]["lowest_class_recall"], 1 / len(classes)
    projection = metrics["projection"]
    copies = len(source) - len(np.unique(source, axis=0))
    guards = {
        f"a class's recall is {recall:.2f}, below half of chance ({chance / 2:.2f})": (
            recall < chance / 2
        ),
        f"{copies} prototypes repeat another's patch": copies > 0,
        f"live prototypes {few}, fewer than half of the {asked:.0f} asked for": bool(few),
        (
            f"projection cost accuracy: {projection['accuracy_before']:.3f} to "
            f"{projection['accuracy_after']:.3f} (p = {projection['loss_p']:.3g})"
        ): projection["accuracy_after"] < projection["accuracy_before"]
        and projection["loss_p"] < 0.05,
    }
    return [sentence for sentence, broken in guards.items() if broken]


def prototype_table(
    fitted: Fitted, split: pd.DataFrame, classes: Sequence[str], field: tuple[int, int]
) -> pd.DataFrame:
    """Return a row a prototype: its class, points, source image, cell, and the pixels it sees.

    Args:
        fitted: the network and its sources.
        split: ``data/split.csv``.
        classes: the labels.
        field: receptive field and stride of a cell in pixels.
    """
    row, y, x = fitted.source.T
    owner = fitted.net.owner.cpu().numpy()
    width, stride = field
    return pd.DataFrame(
        {
            "prototype": np.arange(len(owner)),
            "class": np.array(classes)[owner],
            "points": fitted.net.points.cpu().numpy(),
            "id": split["id"].to_numpy()[row],
            "path": split["path"].to_numpy()[row],
            "row": row,
            "centre_y": (y * stride + stride // 2),
            "centre_x": (x * stride + stride // 2),
            "receptive_field": width,
        }
    )
