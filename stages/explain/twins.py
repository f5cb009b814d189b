"""The training images that resemble each evaluated image, in the most faithful space."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from stages.explain.params import Params
from stages.explain.run import Neighbours, Run, correct, evaluated_maps, head_of, labels_of
from twincam.explanations.twins.fidelity import ASKED, fidelity, fidelity_figures, most_faithful
from twincam.explanations.twins.neighbours import nearest
from twincam.explanations.twins.spaces import SPACES, shared_map
from twincam.files.messages import warn
from twincam.models.embedded import Embedded, at
from twincam.statistics.estimates import mean

DEFAULT = "features_cosine"
"""The space of the original study."""


class Twins(NamedTuple):
    """The space chosen, similarities ``[Q,T]`` in it, and the explanation.

    ``shared`` ``[Q,h,w]`` is the map shared by each image and its first twin, zero if the space has
    none.
    """

    space: str
    similarity: np.ndarray
    shared: np.ndarray
    neighbours: dict[str, Neighbours]
    metrics: dict[str, Any]


def find_twins(run: Run, params: Params, out_of_fold: pd.DataFrame) -> Twins:
    """Choose a space and find ``explain.twins`` twins and neighbours of each evaluated image.

    The label of ``twins`` is the image's predicted class; the ``neighbourhood`` is unfiltered.

    Args:
        run: what is explained.
        params: of the stage.
        out_of_fold: `fidelity` of training images by space, ``data/out_of_fold_twins.csv``.
    """
    requested, k, seed = params.explain.space, params.explain.twins, params.seed
    similarity = all_similarities(run)
    measured = out_of_fold_figures(out_of_fold, seed)
    space = choose_space(requested, measured, list(similarity))
    if requested not in ("auto", space):
        why = "explain.clip is none" if SPACES[requested].compares == "clip" else "too many images"
        warn("explain", f"explain.space={requested}: {why}; using {space}")
    predicted = run.table["predicted"].to_numpy()[run.evaluated, None]
    labelled = predicted == run.table["label"].to_numpy()[run.train]
    twins = nearest(similarity[space], k, labelled)
    return Twins(
        space=space,
        similarity=similarity[space],
        shared=shared_maps(run, twins[0][:, 0], space),
        neighbours={"twins": twins, "neighbourhood": nearest(similarity[space], k)},
        metrics={
            "space": space,
            "twins": {
                name: space_figures(run, values, measured.get(name), seed)
                for name, values in similarity.items()
            },
        },
    )


def all_similarities(run: Run) -> dict[str, np.ndarray]:
    """Return the similarities ``[Q,T]`` of every space whose input is available, by name."""
    weight, _ = head_of(run.network)
    there = {"features"}
    there |= {"maps"} if len(run.references.maps) else set()
    there |= {"clip"} if run.clip.size else set()
    return {
        name: np.concatenate(
            [
                space.similarity(queries, references_in(run, name), weight)
                for queries in queries_in(run, name)
            ]
        )
        for name, space in SPACES.items()
        if space.compares in there
    }


def queries_in(run: Run, space: str) -> Iterator[Embedded]:
    """Yield the evaluated images as ``space`` compares them."""
    if SPACES[space].compares == "maps":
        yield from evaluated_maps(run)
    else:
        yield images_in(run, run.evaluated, space)


def references_in(run: Run, space: str) -> Embedded:
    """Return the training images as ``space`` compares them."""
    if SPACES[space].compares == "clip":
        return images_in(run, run.train, space)
    return run.references


def images_in(run: Run, rows: np.ndarray, space: str) -> Embedded:
    """Return the images at ``rows``, without maps, as ``space`` compares them."""
    found = at(run.embedded, rows)
    return found._replace(features=run.clip[rows]) if SPACES[space].compares == "clip" else found


def out_of_fold_figures(table: pd.DataFrame, seed: int) -> dict[str, Any]:
    """Return `fidelity_figures` by space of ``data/out_of_fold_twins.csv``; empty without rows."""
    return {
        str(space): fidelity_figures(rows, rows["wrong"].to_numpy() == 1, seed)
        for space, rows in table.groupby("space", sort=False)
    }


def choose_space(requested: str, out_of_fold: Mapping[str, Any], measured: Sequence[str]) -> str:
    """Return the space that twins are shown in.

    ``auto`` is the one whose neighbours follow the model best out of fold, on training images, or
    the study's if nothing was cross-validated. A space not in ``measured`` is also replaced by the
    study's.
    """
    if requested == "auto":
        can = {name: found for name, found in out_of_fold.items() if name in measured}
        return most_faithful(can) if can else DEFAULT
    return requested if requested in measured else DEFAULT


def space_figures(
    run: Run, similarity: np.ndarray, out_of_fold: dict[str, Any] | None, seed: int
) -> dict[str, Any]:
    """Return the quality of a space: `fidelity_figures`, and what neighbours have in common.

    ``disagreement_auroc`` is out of fold, pooled over the folds, if that was measured: the
    evaluated images alone contain too few errors.

    Args:
        run: what is explained.
        similarity: ``[Q,T]``.
        out_of_fold: figures of the same space on training images, if measured.
        seed: of the bootstraps.
    """
    labels = labels_of(run)[run.train]
    table = fidelity(similarity, at(run.embedded, run.evaluated), run.references, labels)
    found = fidelity_figures(table, ~correct(run), seed)
    if out_of_fold is not None:
        found["out_of_fold"] = out_of_fold
        found.pop("disagreement_auroc", None)
        if "disagreement_auroc" in out_of_fold:
            found["disagreement_auroc"] = out_of_fold["disagreement_auroc"]
    shared = {
        str(name): shared_attribute(
            similarity, values.to_numpy()[run.evaluated], values.to_numpy()[run.train], seed, name
        )
        for name, values in run.attributes.items()
    }
    if family := shared.pop("family"):
        found |= {"same_family_at_5": family["share"], "family": family}
    found["attributes"] = {name: one for name, one in shared.items() if one}
    return found


def shared_attribute(
    similarity: np.ndarray, queries: np.ndarray, references: np.ndarray, seed: int, *names: object
) -> dict[str, Any]:
    """Return how many of the nearest `ASKED` share a query's value, compared with chance.

    Queries and references without a value ("") do not count. ``share``: the mean over queries;
    ``chance``: the share of the query's value among all references that have one. Empty if fewer
    than two queries, or no references, have a value.

    Args:
        similarity: ``[Q,T]``.
        queries: values ``[Q]``.
        references: values ``[T]``.
        seed: of the bootstrap over queries.
        names: of the bootstrap.
    """
    rows, columns = np.flatnonzero(queries != ""), np.flatnonzero(references != "")
    if len(rows) < 2 or not len(columns):
        return {}
    same = queries[rows, None] == references[columns]
    near, _ = nearest(similarity[np.ix_(rows, columns)], ASKED)
    shared, chance = np.take_along_axis(same, near, axis=1).mean(axis=1), same.mean(axis=1)
    return {
        "n": len(rows),
        "share": float(shared.mean()),
        "chance": float(chance.mean()),
        "over_chance": mean(shared - chance, seed, *names),
    }


def shared_maps(run: Run, twins: np.ndarray, space: str) -> np.ndarray:
    """Return `shared_map` ``[Q,h,w]`` of each query and its first twin, zero if it has none.

    Args:
        run: what is explained.
        twins: positions of the first twins among the training images, ``[Q]``; -1: none.
        space: that the twins are nearest in.
    """
    references, (weight, _) = references_in(run, space), head_of(run.network)
    found, start = [], 0
    for queries in evaluated_maps(run):
        own = twins[start : start + len(queries.logits)]
        start += len(own)
        heat = shared_map(space, queries, at(references, own), weight)
        found.append(np.where((own >= 0)[:, None, None], heat, 0))
    return np.concatenate(found).astype(np.float32)
