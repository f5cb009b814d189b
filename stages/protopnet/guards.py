"""The known ways in which a prototype network collapses, each a check with its figures."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from twincam.statistics.intervals import mcnemar, paired_difference

Guard = dict[str, Any]
"""``broken`` (bool), a ``sentence`` that says what was found, and the figures it rests on."""


def recall_guard(labels: np.ndarray, logits: np.ndarray, classes: Sequence[str]) -> Guard:
    """Return whether the network gives up a class: a recall below half of chance.

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


def duplicates_guard(source: np.ndarray) -> Guard:
    """Return whether prototypes repeat a patch; ``source`` has row and cell of each, ``[P,3]``."""
    copies = len(source) - len(np.unique(source, axis=0))
    return {
        "broken": copies > 0,
        "sentence": f"{copies or 'none'} of {len(source)} prototypes repeat another's patch",
        "prototypes": len(source),
        "copies": copies,
        "distinct_images": len(np.unique(source[:, 0])),
    }


def live_by_class(owner: np.ndarray, points: np.ndarray, classes: Sequence[str]) -> dict[str, int]:
    """Return how many prototypes of each class give points; arguments as in `live_guard`."""
    return {name: int((points[owner == k] > 0).sum()) for k, name in enumerate(classes)}


def live_guard(
    owner: np.ndarray, points: np.ndarray, removed: Sequence[int], classes: Sequence[str]
) -> Guard:
    """Return whether a class has fewer live prototypes than half of those that may live.

    Args:
        owner: the class of each prototype, ``[P]``.
        points: what each gives, ``[P]``; the live ones give more than 0.
        removed: positions of those that a person removed: they are not asked for.
        classes: the labels.
    """
    asked_for = ~np.isin(np.arange(len(owner)), removed)
    asked = {name: int((asked_for & (owner == k)).sum()) for k, name in enumerate(classes)}
    live = live_by_class(owner, points, classes)
    few = [name for name in classes if live[name] < asked[name] / 2]
    counts = ", ".join(f"{name} {live[name]} of {asked[name]}" for name in few or classes)
    return {
        "broken": bool(few),
        "sentence": f"live prototypes: {counts}"
        + (", fewer than half of those asked for" if few else ""),
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
        **paired_difference(second, first, seed, "projection"),
        "p": p,
    }


def broken_sentences(guards: Mapping[str, Guard]) -> list[str]:
    """Return the sentences of the broken guards; none when the network holds."""
    return [guard["sentence"] for guard in guards.values() if guard["broken"]]
