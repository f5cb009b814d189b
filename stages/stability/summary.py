"""The table of all deliveries, with accuracy and flip rate of each."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from stages.stability.pictures import Picture
from twincam.deliveries import DELIVERIES
from twincam.files.deliveries import AS_IS, COLUMNS, EXTERNAL
from twincam.files.metrics import Estimate
from twincam.files.tables import headline_split
from twincam.statistics.estimates import share


def tabulate(
    pictures: Sequence[Picture], logits: np.ndarray, classes: Sequence[str]
) -> pd.DataFrame:
    """Return a row for each image and delivery: its columns and its logits.

    Args:
        pictures: the N classified ones.
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


def headlines(details: Mapping[str, Any]) -> dict[str, Estimate]:
    """Return the ``flip_rate`` over all deliveries, of test if it exists, else of val."""
    split = headline_split(details)
    return {"flip_rate": details[split]["flip_rate"]} if split else {}


def summarise(table: pd.DataFrame, classes: Sequence[str]) -> dict[str, Any]:
    """Return accuracy and flip rate, by split and by other source.

    For each split, and each source under ``external``: ``n``; ``flip_rate``, the share of images
    whose prediction flips in at least one delivery; and for each of the ``deliveries`` the
    ``accuracy`` and, except for as is, the ``flip_rate`` against as is.

    Args:
        table: from `tabulate`.
        classes: the labels.
    """
    index = table[[f"logit_{name}" for name in classes]].to_numpy().argmax(axis=1)
    predicted = np.array(classes)[index].reshape(-1, len(DELIVERIES))
    images = table[table["delivery"] == AS_IS].reset_index(drop=True)
    labels = images["label"].to_numpy()

    def figures(chosen: pd.Series) -> dict[str, Any]:
        return _figures(predicted[chosen], labels[chosen])

    external = images["split"] == EXTERNAL
    splits, sources = images.loc[~external, "split"], images.loc[external, "source"]
    return {
        **{name: figures(images["split"] == name) for name in splits.unique()},
        EXTERNAL: {
            name: figures(external & (images["source"] == name)) for name in sources.unique()
        },
    }


def _figures(predicted: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """Return the figures of N images: ``predicted`` ``[N,D]``, ``labels`` ``[N]``."""
    n = len(labels)
    flips = predicted != predicted[:, :1]
    deliveries: dict[str, dict[str, int | Estimate]] = {}
    for column, name in enumerate(DELIVERIES):
        deliveries[name] = {"n": n, "accuracy": share(predicted[:, column] == labels)}
        if name != AS_IS:
            deliveries[name]["flip_rate"] = share(flips[:, column])
    return {"n": n, "flip_rate": share(flips.any(axis=1)), "deliveries": deliveries}
