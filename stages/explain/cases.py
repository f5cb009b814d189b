"""Put together, for every evaluated image, the training images that explain its prediction."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from stages.common.determinism import generator
from stages.explain.twins import nearest


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


def find_neighbours(
    similarity: np.ndarray,
    predicted: np.ndarray,
    known_labels: np.ndarray,
    known_predicted: np.ndarray,
    k: int,
) -> Neighbours:
    """Find twins, unfiltered neighbourhood and counterfactual of each query.

    Args:
        similarity: of queries and training images, ``[Q,T]``.
        predicted: class indices of the queries, ``[Q]``.
        known_labels: of the training images, ``[T]``.
        known_predicted: the model's prediction for the training images, ``[T]``.
        k: how many twins and neighbours.
    """
    return Neighbours(
        twins=nearest(similarity, k, predicted[:, None] == known_labels),
        neighbourhood=nearest(similarity, k),
        counterfactual=nearest(similarity, 1, predicted[:, None] != known_predicted),
    )


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
