"""Which training images explain each evaluated image, in the space that measures best."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from stages.explain.attributes import shared_at
from stages.explain.cases import Found
from stages.explain.counterfactuals import semifactuals
from twincam.explanations.twins import SPACES, fidelity, fidelity_figures, most_faithful, nearest
from twincam.models.embedded import Embedded

DEFAULT = "features_cosine"


def out_of_fold_figures(table: pd.DataFrame, seed: int) -> dict[str, Any]:
    """Return `fidelity_figures` by space of ``data/out_of_fold_twins.csv``; empty without rows."""
    return {
        str(space): fidelity_figures(rows, rows["wrong"].to_numpy() == 1, seed)
        for space, rows in table.groupby("space", sort=False)
    }


def choose_space(wanted: str, out_of_fold: Mapping[str, Any], measured: Sequence[str]) -> str:
    """Return the space that twins are shown in.

    ``auto`` is the one whose neighbours follow the model best out of fold, on training images, or
    the study's where nothing was cross-validated. A space that was not ``measured`` here is the
    study's, too.
    """
    if wanted == "auto":
        can = {name: found for name, found in out_of_fold.items() if name in measured}
        return most_faithful(can) if can else DEFAULT
    return wanted if wanted in measured else DEFAULT


def twin_figures(
    similarity: Mapping[str, np.ndarray],
    query: Embedded,
    known: Embedded,
    labels: tuple[np.ndarray, np.ndarray],
    facts: tuple[pd.DataFrame, pd.DataFrame],
    out_of_fold: Mapping[str, Any],
    seed: int,
) -> dict[str, Any]:
    """Return what each space is worth: `fidelity_figures`, and what neighbours have in common.

    ``disagreement_auroc`` is out of fold, pooled over the folds, where that was measured: the
    evaluated images alone hold too few errors.

    Args:
        similarity: ``[Q,T]`` by space.
        query: the evaluated images.
        known: the training images.
        labels: class indices of both, ``[Q]`` and ``[T]``.
        facts: ``family`` and further attributes of both.
        out_of_fold: of `out_of_fold_figures`.
        seed: of the bootstraps.
    """
    wrong = query.logits.argmax(axis=1) != labels[0]
    figures: dict[str, Any] = {}
    asked, told = facts
    for space, values in similarity.items():
        found = fidelity_figures(fidelity(values, query, known, labels[1]), wrong, seed)
        if space in out_of_fold:
            found["out_of_fold"] = out_of_fold[space]
            found.pop("disagreement_auroc", None)
            if "disagreement_auroc" in out_of_fold[space]:
                found["disagreement_auroc"] = out_of_fold[space]["disagreement_auroc"]
        shared = {
            name: shared_at(values, asked[name].to_numpy(), told[name].to_numpy(), seed, name)
            for name in asked
        }
        if family := shared.pop("family"):
            found |= {"same_family_at_5": family["share"], "family": family}
        found["attributes"] = {name: one for name, one in shared.items() if one}
        figures[space] = found
    return figures


def find_neighbours(
    similarity: np.ndarray, queries: pd.DataFrame, known: pd.DataFrame, k: int
) -> dict[str, Found]:
    """Find ``k`` twins, ``k`` neighbours and the counterfactual of each query.

    ``twins`` are labelled as predicted, the ``neighbourhood`` is unfiltered, the ``counterfactual``
    is the nearest image that the model predicts otherwise (the nearest unlike neighbour of
    Dasarathy 1995).

    Args:
        similarity: of ``queries`` and ``known``, ``[Q,T]``.
        queries: has ``predicted``.
        known: the training images; has ``label`` and ``predicted``.
        k: at least 1.
    """
    predicted = queries["predicted"].to_numpy()[:, None]
    return {
        "twins": nearest(similarity, k, predicted == known["label"].to_numpy()),
        "neighbourhood": nearest(similarity, k),
        "counterfactual": nearest(similarity, 1, predicted != known["predicted"].to_numpy()),
    }


def at(seen: Embedded, rows: np.ndarray) -> Embedded:
    """Return the images at ``rows`` of ``seen``; without maps where it has none."""
    return Embedded(
        seen.maps[rows] if len(seen.maps) else seen.maps, seen.features[rows], seen.logits[rows]
    )


def find_semifactuals(
    space: str,
    similarity: np.ndarray,
    counterfactual: np.ndarray,
    known: Embedded,
    weight: np.ndarray,
    alike: np.ndarray,
) -> Found:
    """Return the image ``[Q,1]`` that says "even if" for each query; see `semifactuals`.

    Args:
        space: of ``similarity``.
        similarity: ``[Q,T]``.
        counterfactual: positions ``[Q]``, -1 for none.
        known: the training images; with maps for ``maps``.
        weight: of the head, ``[K,C]``.
        alike: bool ``[Q,T]``, whether a training image is predicted as the query is.
    """
    between = SPACES[space](at(known, counterfactual), known, weight)
    index, value = semifactuals(similarity, between, counterfactual, alike)
    return index[:, None], value[:, None]
