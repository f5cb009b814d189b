"""Put together what a run found of each evaluated image, and what its panel shows."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import softmax

from stages.explain.panels import Case, Tile
from twincam.determinism import generator
from twincam.explanations.gradcam import margin_classes, margins
from twincam.files.arrays import read_array, read_finite
from twincam.files.errors import UserError
from twincam.files.metrics import read_metrics
from twincam.files.tables import EVALUATED_SPLITS, class_names, read_split, read_table
from twincam.statistics.sampling import in_turn

KINDS = ("twins", "neighbourhood", "influential", "counterfactual", "semifactual")
Found = tuple[np.ndarray, np.ndarray]
"""Positions among the training images ``[Q,k]``, the nearest first, -1 for none; similarities."""


class Run(NamedTuple):
    """The files of a run that its panels are made of."""

    split: Path
    images: Path
    masks: Path
    embeddings: Path
    predictions: Path
    evaluated: Path
    heatmaps: Path
    swapped: Path
    shared: Path
    twins: Path


@dataclass(frozen=True)
class Explained:
    """The evaluated images (``queries``, Q rows) and what explains them.

    ``table`` is all images with what the model says of them, ``images`` ``[M,S,S,3]`` their
    pictures, ``neighbours`` the rows of `neighbour_table`; ``rows`` ``[Q]`` are the queries' in
    ``images``; ``heat``, ``shared`` ``[Q,h,w]``; ``swapped``, bool ``[Q,h,w]``, the cells of the
    counterfactual; ``truth`` ``[Q,S,S]``, zero where none is known; ``heat_scale`` is drawn at
    full strength; ``knows`` says what the model has seen.
    """

    queries: pd.DataFrame
    table: pd.DataFrame
    neighbours: pd.DataFrame
    rows: np.ndarray
    images: np.ndarray
    heat: np.ndarray
    shared: np.ndarray
    swapped: np.ndarray
    truth: np.ndarray
    heat_scale: float
    knows: str


def read_explained(run: Run, method: str) -> Explained:
    """Read what a run wrote of its evaluated images, with the heat maps of ``method``.

    Raises:
        UserError: a file is not what the pipeline writes.
    """
    split, images, masks = read_split(run.split), read_array(run.images), read_array(run.masks)
    table = describe(split, read_finite(run.embeddings / "logits.npy"))
    rows = np.flatnonzero(split["split"].isin(EVALUATED_SPLITS))
    said = _said(run.predictions)
    queries = table.iloc[rows].reset_index(drop=True)
    heat = read_array(run.heatmaps / f"{method}.npy")
    return Explained(
        queries=queries.assign(in_words=said[queries["id"]].to_numpy()),
        table=table,
        neighbours=read_table(run.twins),
        rows=rows,
        images=images,
        heat=heat,
        shared=read_array(run.shared),
        swapped=read_array(run.swapped),
        truth=truths(masks, rows, images.shape[1]),
        heat_scale=scale_of(heat),
        knows=read_metrics(run.evaluated)["knows"],
    )


def truths(masks: np.ndarray, rows: np.ndarray, size: int) -> np.ndarray:
    """Return masks ``[M,S,S]`` at ``rows``, or as many empty ones where M is 0."""
    return masks[rows] if len(masks) else np.zeros((len(rows), size, size), np.uint8)


def scale_of(heat: np.ndarray) -> float:
    """Return the evidence that is drawn at full strength: one image in ten exceeds it."""
    return max(float(np.quantile(np.abs(heat).max(axis=(1, 2)), 0.9)), 1e-12)


def _said(predictions_csv: Path) -> pd.Series:
    table = read_table(predictions_csv).set_index("id")
    if "in_words" not in table:
        raise UserError(
            f"{predictions_csv}: expected a column 'in_words', found an older version's table; "
            "run `dvc repro evaluate` there"
        )
    return table["in_words"]


def describe(split: pd.DataFrame, logits: np.ndarray) -> pd.DataFrame:
    """Return ``split`` with what the model says: ``predicted``, ``confidence``, ``margin``.

    Args:
        split: of all images.
        logits: of the same images, ``[N,K]``.
    """
    predicted = np.array(class_names(split))[margin_classes(logits)[0]]
    confidence = softmax(logits, axis=1).max(axis=1)
    return split.assign(predicted=predicted, confidence=confidence, margin=margins(logits))


def neighbour_table(
    found: Mapping[str, Found], queries: pd.DataFrame, known: pd.DataFrame
) -> pd.DataFrame:
    """Return a row for each image, kind and rank: which training image, how near, what it is.

    Args:
        found: by kind, of the rows of ``queries`` among the rows of ``known``.
        queries: has ``id``.
        known: has ``id``, ``path``, ``label``, ``predicted``.
    """
    tables = []
    for kind, (indices, similarity) in found.items():
        query, rank = np.nonzero(indices >= 0)
        chosen = known.iloc[indices[query, rank]].reset_index(drop=True)
        tables.append(
            pd.DataFrame(
                {
                    "id": queries["id"].to_numpy()[query],
                    "kind": kind,
                    "rank": rank + 1,
                    "neighbour": chosen["id"],
                    "path": chosen["path"],
                    "label": chosen["label"],
                    "predicted": chosen["predicted"],
                    "similarity": similarity[query, rank],
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def case_of(explained: Explained, index: int) -> Case:
    """Return everything that the panel of the evaluated image at ``index`` shows."""
    row = explained.queries.iloc[index]
    own = explained.neighbours[explained.neighbours["id"] == row["id"]]
    where = pd.Series(explained.table.index, index=explained.table["id"])
    tiles = {
        kind: [
            Tile(explained.images[where[one.neighbour]], one.similarity, one.label, one.predicted)
            for one in own[own["kind"] == kind].itertuples()
        ]
        for kind in KINDS
    }
    return Case(
        row=row,
        knows=explained.knows,
        image=explained.images[explained.rows[index]],
        heat=explained.heat[index],
        shared=explained.shared[index],
        swapped=explained.swapped[index],
        mask=explained.truth[index],
        heat_scale=explained.heat_scale,
        **tiles,
    )


def choose_shown(queries: pd.DataFrame, correct_panels: int, seed: int) -> np.ndarray:
    """Return positions of all wrong predictions and of a seeded choice of correct ones.

    The correct ones are drawn class by class in turn; ``queries`` has ``id``, ``label`` and
    ``predicted``.
    """
    wrong = (queries["label"] != queries["predicted"]).to_numpy()
    order = generator(seed, "panels").permutation(len(queries))
    correct = in_turn(queries["label"].to_numpy(), order[~wrong[order]])
    return np.concatenate([np.flatnonzero(wrong), correct[:correct_panels]])
