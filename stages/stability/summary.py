"""The table of all deliveries and the figures of ``reports/stability.json``."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from stages.stability.pictures import DELIVERIES, Picture
from twincam.files.deliveries import AS_IS, COLUMNS, EXTERNAL
from twincam.statistics.intervals import share_with_interval


def tabulate(
    pictures: Sequence[Picture], logits: np.ndarray, classes: Sequence[str]
) -> pd.DataFrame:
    """Return a row for each image and delivery: what it is and its logits.

    Args:
        pictures: the N judged ones.
        logits: ``[N*D,K]``, the D `DELIVERIES` of an image one after the other.
        classes: the K labels.
    """
    rows = [
        (one.id, one.path, one.split, one.source, one.label, delivery)
        for one in pictures
        for delivery in DELIVERIES
    ]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.assign(**{f"logit_{name}": logits[:, k] for k, name in enumerate(classes)})


def summarise(table: pd.DataFrame, classes: Sequence[str]) -> dict[str, Any]:
    """Return how many verdicts are right and how many flip, by split and by other source.

    For each split, and each source under ``external``: ``n``; ``unstable``, the share of images
    whose verdict flips in at least one delivery; and for each of the ``deliveries`` the accuracy
    and, other than as is, the share of ``flips`` against as is; shares with 95 % intervals.

    Args:
        table: from `tabulate`.
        classes: the labels.
    """
    verdict = table[[f"logit_{name}" for name in classes]].to_numpy().argmax(axis=1)
    verdicts = np.array(classes)[verdict].reshape(-1, len(DELIVERIES))
    images = table[table["delivery"] == AS_IS].reset_index(drop=True)
    labels = images["label"].to_numpy()

    def figures(chosen: pd.Series) -> dict[str, Any]:
        return _figures(verdicts[chosen], labels[chosen])

    external = images["split"] == EXTERNAL
    splits, sources = images.loc[~external, "split"], images.loc[external, "source"]
    return {
        **{name: figures(images["split"] == name) for name in splits.unique()},
        EXTERNAL: {
            name: figures(external & (images["source"] == name)) for name in sources.unique()
        },
    }


def _figures(verdicts: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """Return the figures of N images: ``verdicts`` ``[N,D]``, ``labels`` ``[N]``."""
    n = len(labels)
    flips = verdicts != verdicts[:, :1]
    deliveries = {}
    for column, name in enumerate(DELIVERIES):
        right = share_with_interval("accuracy", verdicts[:, column] == labels)
        flipped = share_with_interval("flips", flips[:, column]) if name != AS_IS else {}
        deliveries[name] = {"n": n, **right, **flipped}
    return {"n": n, **share_with_interval("unstable", flips.any(axis=1)), "deliveries": deliveries}
