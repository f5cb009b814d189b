"""The prototype network compared with its classifier, its own stages and baselines."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from twincam.statistics.estimates import difference, share
from twincam.statistics.intervals import mcnemar


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
    recall = _recalls(labels, correct)
    return {
        "n": len(labels),
        "accuracy": share(correct),
        "balanced_accuracy": float(np.mean(recall)),
        "lowest_class_recall": min(recall),
        "classifier_gap": difference(reference, correct, seed, "classifier gap"),
        "classifier_gap_p": mcnemar(reference, correct),
    }


def comparison_figures(
    labels: np.ndarray, classifier: np.ndarray, others: Mapping[str, np.ndarray], seed: int
) -> dict[str, Any]:
    """Return each model's accuracy and its difference from the classifier's, with intervals.

    ``over_classifier`` is the accuracy minus the classifier's with a bootstrap interval paired by
    image, ``p`` McNemar's.

    Args:
        labels: class indices ``[N]``.
        classifier: its logits, ``[N,K]``.
        others: logits ``[N,K]`` by model.
        seed: of the bootstraps.
    """
    reference = classifier.argmax(axis=1) == labels
    found: dict[str, Any] = {"classifier": _accuracies(labels, reference)}
    for name, logits in others.items():
        correct = logits.argmax(axis=1) == labels
        found[name] = {
            **_accuracies(labels, correct),
            "over_classifier": difference(correct, reference, seed, "comparison", name),
            "p": mcnemar(reference, correct),
        }
    return found


def _accuracies(labels: np.ndarray, correct: np.ndarray) -> dict[str, Any]:
    return {
        "n": len(labels),
        "accuracy": share(correct),
        "balanced_accuracy": float(np.mean(_recalls(labels, correct))),
    }


def _recalls(labels: np.ndarray, correct: np.ndarray) -> list[float]:
    return [float(correct[labels == name].mean()) for name in np.unique(labels)]
