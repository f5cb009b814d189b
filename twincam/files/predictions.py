"""The table of predictions, the same for every model, so that any two can be compared."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd


def predictions(split: pd.DataFrame, logits: np.ndarray, classes: Sequence[str]) -> pd.DataFrame:
    """Return a row per image: its identity, the prediction, and the probability of every class.

    Args:
        split: rows of ``data/split.csv``.
        logits: ``[N,K]``, of the same rows.
        classes: the K labels.
    """
    from scipy.special import softmax

    p = softmax(logits.astype(np.float64), axis=1)
    table = split[["id", "path", "split", "source", "label"]].reset_index(drop=True)
    table["predicted"] = np.array(classes)[p.argmax(axis=1)]
    table["confidence"] = p.max(axis=1)
    return table.assign(**{f"p_{name}": p[:, k] for k, name in enumerate(classes)})


def join_names(names: Iterable[str]) -> str:
    """Return names as one cell, as in ``fake|real``; names with a ``|`` are quoted as in a CSV."""
    cell = io.StringIO()
    csv.writer(cell, delimiter="|", lineterminator="\r\n").writerow(names)
    return cell.getvalue().removesuffix("\r\n")


def split_names(cell: str) -> list[str]:
    """Return the names in a cell written by `join_names`; none if it is empty."""
    return next(csv.reader(io.StringIO(cell, newline=""), delimiter="|"), [])


def misclassified(table: pd.DataFrame) -> pd.DataFrame:
    """Return the wrong rows of `predictions`, the most confident first."""
    wrong = table[table["predicted"] != table["label"]]
    return wrong.sort_values(["confidence", "id"], ascending=[False, True])
