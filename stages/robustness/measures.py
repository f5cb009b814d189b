"""Metrics under corruption: accuracy, recall, confidence and flip rate."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.special import softmax

from stages.robustness.ladders import CONDITIONS
from twincam.files.metrics import Estimate, spelled
from twincam.files.tables import headline_split
from twincam.statistics.estimates import difference, mean, share

FIGURES = [
    "n",
    *(
        f"{name}{bound}"
        for name in ("accuracy", "confidence", "flip_rate", "accuracy_drop")
        for bound in ("", "_low", "_high")
    ),
]
COLUMNS = ["condition", "corruption", "severity", *FIGURES]


class Flip(NamedTuple):
    """An image by its position, and the condition under which its prediction changes first."""

    image: int
    condition: int


def figures(
    labels: np.ndarray, logits: np.ndarray, seed: int, *names: object
) -> dict[str, Estimate | int]:
    """Return ``n``, ``accuracy`` and mean ``confidence``, that of the predicted class.

    Args:
        labels: indices of the classes ``[N]``.
        logits: ``[N,K]`` of the same images.
        seed: of the bootstrap of the confidence.
        names: of the corruption, for the seed.
    """
    confidence = softmax(logits.astype(np.float64), axis=1).max(axis=1)
    return {
        "n": len(labels),
        "accuracy": share(logits.argmax(axis=1) == labels),
        "confidence": mean(confidence, seed, "confidence", *names),
    }


def costs(
    labels: np.ndarray, clean: np.ndarray, corrupted: np.ndarray, seed: int, *names: object
) -> dict[str, Estimate]:
    """Return the effect of a corruption relative to the same unmodified images.

    Args:
        labels: indices of the classes ``[N]``.
        clean: logits ``[N,K]`` of the unmodified images.
        corrupted: logits ``[N,K]`` of the same images corrupted.
        seed: of the bootstrap.
        names: of the corruption, for the seed.

    Returns:
        ``flip_rate``, the share of predictions that change, with its Wilson interval, and
        ``accuracy_drop``, with the interval of `difference`.
    """
    before, after = clean.argmax(axis=1), corrupted.argmax(axis=1)
    return {
        "flip_rate": share(before != after),
        "accuracy_drop": difference(before == labels, after == labels, seed, "lost", *names),
    }


def recalls(labels: np.ndarray, logits: np.ndarray, classes: Sequence[str]) -> dict[str, Any]:
    """Return ``n_<class>`` and, unless that is 0, ``recall_<class>`` with its Wilson interval."""
    found: dict[str, Any] = {}
    for k, name in enumerate(classes):
        own = labels == k
        found[f"n_{name}"] = int(own.sum())
        if own.any():
            found[f"recall_{name}"] = share(logits[own].argmax(axis=1) == k)
    return found


def curve(
    labels: np.ndarray, clean: np.ndarray, corrupted: np.ndarray, classes: Sequence[str], seed: int
) -> pd.DataFrame:
    """Return `figures`, `costs` and `recalls` as a row for each of `CONDITIONS`.

    Args:
        labels: indices of the classes ``[N]``.
        clean: logits ``[N,K]`` of the unmodified images.
        corrupted: logits ``[C,N,K]`` of the same images.
        classes: the K labels.
        seed: of the bootstraps.
    """
    return pd.DataFrame(
        [
            {
                "condition": condition.label(),
                "corruption": condition.corruption,
                "severity": condition.severity,
                **spelled(figures(labels, logits, seed, condition)),
                **spelled(costs(labels, clean, logits, seed, condition)),
                **spelled(recalls(labels, logits, classes)),
            }
            for condition, logits in zip(CONDITIONS, corrupted, strict=True)
        ]
    )


def by_corruption(table: pd.DataFrame) -> dict[str, Any]:
    """Return the rows of `curve`, without the recalls, as ``<corruption>.<severity>.<figure>``."""
    found: dict[str, Any] = {}
    for row in table.to_dict("records"):
        ladder = found.setdefault(str(row["corruption"]), {})
        ladder[str(row["severity"])] = {key: row[key] for key in FIGURES}
    return found


def headlines(details: Mapping[str, Any]) -> dict[str, float]:
    """Return the lowest accuracy under any corruption, of test if it exists, else of val."""
    split = headline_split(details)
    if split is None:
        return {}
    ladders = [ladder for name, ladder in details[split].items() if name != "clean"]
    return {"worst_accuracy": min(one["accuracy"] for steps in ladders for one in steps.values())}


def first_flips(clean: np.ndarray, corrupted: np.ndarray) -> list[Flip]:
    """Return each image that flips with its mildest flipping condition, the least robust first.

    Among equal steps, of one image or several, the larger margin of the new prediction over the
    old one comes first.

    Args:
        clean: logits ``[N,K]`` of the unmodified images.
        corrupted: logits ``[C,N,K]`` of the same images under `CONDITIONS`.
    """
    before = clean.argmax(axis=1)
    old = corrupted[:, np.arange(len(before)), before]
    margin = corrupted.max(axis=2) - old
    flipped = np.argwhere(corrupted.argmax(axis=2) != before)
    ranked = sorted((CONDITIONS[c].step, -margin[c, i], i, c) for c, i in flipped)
    first: dict[int, Flip] = {}
    for _, _, image, condition in ranked:
        first.setdefault(int(image), Flip(int(image), int(condition)))
    return list(first.values())
