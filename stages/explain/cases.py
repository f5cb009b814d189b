"""Put together, for every evaluated image, the training images that explain its prediction."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import softmax

from stages.common.artifacts import (
    EVALUATED_SPLITS,
    class_names,
    read_array,
    read_metrics,
    read_split,
    read_table,
)
from stages.common.determinism import generator
from stages.common.errors import UserError
from stages.common.gradcam import margin_classes, margins
from stages.explain.panels import Case, Tile
from stages.explain.twins import SPACES, nearest


@dataclass(frozen=True)
class Neighbours:
    """Positions among the training images, the nearest first, and similarities; -1 is none.

    ``twins`` ``[Q,k]`` are labelled as predicted, ``neighbourhood`` ``[Q,k]`` is unfiltered, and
    ``counterfactual`` ``[Q,1]`` is the nearest image that the model predicts otherwise (the
    nearest unlike neighbour of Dasarathy 1995).
    """

    twins: tuple[np.ndarray, np.ndarray]
    neighbourhood: tuple[np.ndarray, np.ndarray]
    counterfactual: tuple[np.ndarray, np.ndarray]

    def kinds(self) -> Mapping[str, tuple[np.ndarray, np.ndarray]]:
        """Return the three by name."""
        return vars(self)


@dataclass(frozen=True)
class Explained:
    """The evaluated images (``queries``, Q rows), what explains them, and what a panel draws.

    ``known`` are the training images, indexed by their row in ``images`` ``[M,S,S,3]``;
    ``similarity`` ``[Q,T]`` by space; ``rows`` ``[Q]`` in ``images``; ``cams`` ``[Q,h,w]``;
    ``truth`` ``[Q,S,S]``, zero where none is known; ``heat_scale`` is drawn at full strength;
    ``knows`` says what the model has seen.
    """

    queries: pd.DataFrame
    known: pd.DataFrame
    similarity: Mapping[str, np.ndarray]
    neighbours: Neighbours
    rows: np.ndarray
    images: np.ndarray
    cams: np.ndarray
    truth: np.ndarray
    heat_scale: float
    knows: str


class Run(NamedTuple):
    """The files of a run that its explanations are made of."""

    split: Path
    images: Path
    masks: Path
    embeddings: Path
    predictions: Path
    evaluated: Path


def explain_run(run: Run, space: str, k: int) -> Explained:
    """Read what a run wrote and find what explains each evaluated image, ``k`` twins in ``space``.

    Raises:
        UserError: a file is not what the pipeline writes.
    """
    split, images, masks = read_split(run.split), read_array(run.images), read_array(run.masks)
    logits, features, cams, weight = (
        read_array(run.embeddings / f"{name}.npy")
        for name in ("logits", "features", "cams", "head_weight")
    )
    table = describe(split, logits)
    query = np.flatnonzero(split["split"].isin(EVALUATED_SPLITS))
    train = np.flatnonzero(split["split"] == "train")
    said = _said(run.predictions)
    queries, known = table.iloc[query].reset_index(drop=True), table.iloc[train]
    queries = queries.assign(in_words=said[queries["id"]].to_numpy())
    similarity = {
        name: measure(features[query], features[train], weight, logits[query], logits[train])
        for name, measure in SPACES.items()
    }
    return Explained(
        queries=queries,
        known=known,
        similarity=similarity,
        neighbours=find_neighbours(similarity[space], queries, known, k),
        rows=query,
        images=images,
        cams=cams,
        truth=masks[query] if len(masks) else np.zeros((len(query), *images.shape[1:3]), np.uint8),
        heat_scale=float(np.quantile(np.abs(cams).max(axis=(1, 2)), 0.9)),
        knows=read_metrics(run.evaluated)["knows"],
    )


def _said(predictions_csv: Path) -> pd.Series:
    table = read_table(predictions_csv, ("id",)).set_index("id")
    if "in_words" not in table:
        raise UserError(
            f"{predictions_csv}: expected a column 'in_words', found an older version's table; "
            "run `dvc repro evaluate` there"
        )
    return table["in_words"]


def case_of(explained: Explained, index: int) -> Case:
    """Return everything that the panel of the evaluated image at ``index`` shows."""
    return Case(
        row=explained.queries.iloc[index],
        knows=explained.knows,
        image=explained.images[explained.rows[index]],
        heat=explained.cams[index],
        mask=explained.truth[index],
        heat_scale=explained.heat_scale,
        **tiles_of(explained.neighbours, index, explained.known, explained.images),
    )


def describe(split: pd.DataFrame, logits: np.ndarray) -> pd.DataFrame:
    """Return ``split`` with what the model says: ``predicted``, ``confidence``, ``margin``.

    Args:
        split: of all images.
        logits: of the same images, ``[N,K]``.
    """
    predicted = np.array(class_names(split))[margin_classes(logits)[0]]
    confidence = softmax(logits, axis=1).max(axis=1)
    return split.assign(predicted=predicted, confidence=confidence, margin=margins(logits))


def find_neighbours(
    similarity: np.ndarray, queries: pd.DataFrame, known: pd.DataFrame, k: int
) -> Neighbours:
    """Find ``k`` twins, ``k`` neighbours and the counterfactual of each query.

    Args:
        similarity: of ``queries`` and ``known``, ``[Q,T]``.
        queries: has ``predicted``.
        known: the training images; has ``label`` and ``predicted``.
        k: at least 1.
    """
    predicted = queries["predicted"].to_numpy()[:, None]
    return Neighbours(
        twins=nearest(similarity, k, predicted == known["label"].to_numpy()),
        neighbourhood=nearest(similarity, k),
        counterfactual=nearest(similarity, 1, predicted != known["predicted"].to_numpy()),
    )


def tiles_of(
    neighbours: Neighbours, query: int, known: pd.DataFrame, images: np.ndarray
) -> Mapping[str, list[Tile]]:
    """Return what a panel shows of each kind of neighbour of ``query``, the nearest first.

    Args:
        neighbours: of all queries.
        query: which of them.
        known: the training images, indexed by their row in ``images``.
        images: bytes ``[M,S,S,3]``.
    """
    return {
        kind: [
            Tile(images[known.index[place]], float(value), row["label"], row["predicted"])
            for place, value in zip(places[query], values[query], strict=True)
            if place >= 0
            for row in [known.iloc[place]]
        ]
        for kind, (places, values) in neighbours.kinds().items()
    }


def neighbour_table(
    neighbours: Neighbours, queries: pd.DataFrame, known: pd.DataFrame
) -> pd.DataFrame:
    """Return a row for each image, kind and rank: which training image, how near, what it is.

    Args:
        neighbours: of the rows of ``queries`` among the rows of ``known``.
        queries: has ``id``.
        known: has ``id``, ``path``, ``label``, ``predicted``.
    """
    tables = []
    for kind, (indices, similarity) in neighbours.kinds().items():
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


def choose_shown(queries: pd.DataFrame, correct_panels: int, seed: int) -> np.ndarray:
    """Return positions of all wrong predictions and of a seeded choice of correct ones.

    The correct ones are drawn class by class in turn; ``queries`` has ``id``, ``label`` and
    ``predicted``.
    """
    wrong = (queries["label"] != queries["predicted"]).to_numpy()
    order = generator(seed, "panels").permutation(len(queries))
    correct = queries.iloc[order[~wrong[order]]].reset_index()
    turn = correct.groupby("label").cumcount()
    first = correct.assign(turn=turn).sort_values(["turn", "label"])["index"]
    return np.concatenate([np.flatnonzero(wrong), first.to_numpy(int)[:correct_panels]])
