"""The known ways in which a prototype network collapses, each a check with its figures."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from twincam.explanations.prototypes.contributions import LastLayer
from twincam.statistics.estimates import difference
from twincam.statistics.intervals import mcnemar

Guard = dict[str, Any]
"""``broken`` (bool), a ``sentence`` that states the finding, and its figures."""


def recall_guard(labels: np.ndarray, logits: np.ndarray, classes: Sequence[str]) -> Guard:
    """Return whether the network abandons a class: a recall below half of chance.

    Args:
        labels: class indices ``[N]``.
        logits: ``[N,K]``.
        classes: the K labels.
    """
    right = logits.argmax(axis=1) == labels
    recall = {classes[k]: float(right[labels == k].mean()) for k in np.unique(labels)}
    lowest = min(recall, key=lambda name: recall[name])
    least = 0.5 / len(classes)
    broken = recall[lowest] < least
    return {
        "broken": broken,
        "sentence": f"the recall of {lowest} is {recall[lowest]:.2f}, "
        f"{'below' if broken else 'not below'} half of chance ({least:.2f})",
        "n": len(labels),
        "recall": recall,
        "least": least,
    }


def duplicates_guard(patches: np.ndarray) -> Guard:
    """Return whether prototypes repeat a patch; ``patches`` are row and cell of each, ``[P,3]``."""
    copies = len(patches) - len(np.unique(patches, axis=0))
    return {
        "broken": copies > 0,
        "sentence": f"{copies or 'none'} of {len(patches)} prototypes repeat another's patch",
        "prototypes": len(patches),
        "copies": copies,
        "distinct_images": len(np.unique(patches[:, 0])),
    }


def live_by_class(layer: LastLayer, classes: Sequence[str]) -> dict[str, int]:
    """Return how many prototypes of each class have a weight above 0."""
    counts = np.bincount(layer.owner[layer.live], minlength=len(classes))
    return dict(zip(classes, counts.tolist(), strict=True))


def live_guard(layer: LastLayer, removed: Sequence[int], classes: Sequence[str]) -> Guard:
    """Return whether fewer than half of a class's remaining prototypes are live.

    Args:
        layer: owners and weights; live are prototypes whose weight is above 0.
        removed: positions of those that a person removed: they do not count.
        classes: the labels.
    """
    owner = layer.owner
    asked_for = ~np.isin(np.arange(len(owner)), removed)
    asked = {name: int((asked_for & (owner == k)).sum()) for k, name in enumerate(classes)}
    live = live_by_class(layer, classes)
    few = [name for name in classes if live[name] < asked[name] / 2]
    counts = ", ".join(f"{name} {live[name]} of {asked[name]}" for name in few or classes)
    return {
        "broken": bool(few),
        "sentence": f"live prototypes: {counts}"
        + (", fewer than half of those requested" if few else ""),
        "asked": asked,
        "live": live,
        "removed": len(removed),
    }


def projection_guard(labels: np.ndarray, before: np.ndarray, after: np.ndarray, seed: int) -> Guard:
    """Return whether projection cost accuracy, by McNemar's exact test at 0.05.

    Args:
        labels: class indices ``[N]``.
        before: logits before projection, ``[N,K]``.
        after: logits after it and the tied epochs, ``[N,K]``.
        seed: of the bootstrap of the difference.
    """
    first, second = (logits.argmax(axis=1) == labels for logits in (before, after))
    p = mcnemar(first, second)
    broken = bool(second.mean() < first.mean() and p < 0.05)
    cost = "accuracy" if broken else "no significant accuracy"
    return {
        "broken": broken,
        "sentence": f"projection cost {cost}: {first.mean():.3f} to {second.mean():.3f} "
        f"(p = {p:.3g})",
        "n": len(labels),
        "accuracy_before": float(first.mean()),
        "accuracy_after": float(second.mean()),
        "difference": difference(second, first, seed, "projection"),
        "p": p,
    }


def broken_sentences(guards: Mapping[str, Guard]) -> list[str]:
    """Return the sentences of the broken guards; none for a sound network."""
    return [guard["sentence"] for guard in guards.values() if guard["broken"]]
