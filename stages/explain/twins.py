"""The training images that resemble each evaluated image, in the most faithful space."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from stages.explain.params import Params
from stages.explain.run import Run, correct, evaluated_maps, head_of, labels_of
from twincam.determinism import generator
from twincam.explanations.twins.fidelity import ASKED, fidelity, fidelity_figures, most_faithful
from twincam.explanations.twins.neighbours import (
    Compare,
    Neighbours,
    Positions,
    looked_up,
    nearest_between,
    nearest_by_class,
    nearest_in_lists,
)
from twincam.explanations.twins.spaces import (
    SPACES,
    shared_map,
    similarity,
    spaces_that_compare,
)
from twincam.files.messages import warn
from twincam.files.metrics import Estimate
from twincam.models.embedded import Embedded, at, join_rows, maps_at
from twincam.statistics.estimates import mean

DEFAULT = "features_cosine"
"""The space of the original study."""


RECALL_QUERIES = 200
"""The most queries that a search in lists is compared with an exact one on."""


class Search(NamedTuple):
    """Similarities of evaluated and training images, and of training images, in a space.

    Among more than ``exact_up_to`` training images the search is approximate.
    """

    compare: Compare
    compare_references: Compare
    exact_up_to: int

    def nearest(
        self, rows: np.ndarray, columns: np.ndarray, k: int, allowed: Compare | None = None
    ) -> Neighbours:
        """Return neighbours as `nearest_between` does, or `nearest_in_lists` if there are many."""
        if len(columns) <= self.exact_up_to:
            return nearest_between(self.compare, rows, columns, k, allowed)
        return nearest_in_lists(self.compare, self.compare_references, rows, columns, k, allowed)


class Twins(NamedTuple):
    """The space chosen, the search for neighbours in it, and the explanation.

    ``shared`` ``[Q,k,h,w]`` are the maps shared by each image and its twins, zero if the space has
    none.
    """

    space: str
    search: Search
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
    searches = all_searches(run, params.explain.exact_neighbours_up_to)
    measured = out_of_fold_figures(out_of_fold, seed)
    space = choose_space(requested, measured, list(searches))
    if requested not in ("auto", space):
        why = "explain.clip is none" if SPACES[requested].compares == "clip" else "too many images"
        warn("explain", f"explain.space={requested}: {why}; using {space}")
    search, everyone = searches[space], (np.arange(len(run.evaluated)), np.arange(len(run.train)))
    predicted = run.table["predicted"].to_numpy()[run.evaluated]
    labels = run.table["label"].to_numpy()[run.train]
    twins = nearest_by_class(search.nearest, predicted, labels, k, alike=True)
    return Twins(
        space=space,
        search=search,
        shared=shared_maps(run, twins[0], space),
        neighbours={"twins": twins, "neighbourhood": search.nearest(*everyone, k=k)},
        metrics={
            "space": space,
            "twins": {
                name: space_figures(run, one, measured.get(name), seed)
                for name, one in searches.items()
            },
        },
    )


def all_searches(run: Run, exact_up_to: int) -> dict[str, Search]:
    """Return the search for neighbours in every space whose input is available, by name."""
    there = {"features"}
    there |= {"maps"} if len(run.maps) else set()
    there |= {"clip"} if run.clip.size else set()
    return {space: search_in(run, space, exact_up_to) for space in spaces_that_compare(there)}


def search_in(run: Run, space: str, exact_up_to: int) -> Search:
    """Return the search for neighbours in ``space``; see `Search` for ``exact_up_to``."""
    return Search(comparison(run, space), among_references(run, space), exact_up_to)


def comparison(run: Run, space: str) -> Compare:
    """Return the similarities of evaluated and training images in ``space``.

    Those of maps are computed at once, as each image takes a forward pass.
    """
    weight, _ = head_of(run.network)
    if SPACES[space].compares == "maps":
        references = references_in(run, space, slice(None))
        parts = [similarity(space, queries, references, weight) for queries in evaluated_maps(run)]
        return looked_up(np.concatenate(parts))

    def compare(rows: Positions, columns: Positions) -> np.ndarray:
        queries = images_in(run, run.evaluated[rows], space)
        return similarity(space, queries, references_in(run, space, columns), weight)

    return compare


def among_references(run: Run, space: str) -> Compare:
    """Return the similarities of training images and training images in ``space``."""
    weight, _ = head_of(run.network)

    def compare(rows: Positions, columns: Positions) -> np.ndarray:
        first, second = (references_in(run, space, places) for places in (rows, columns))
        return similarity(space, first, second, weight)

    return compare


def references_in(run: Run, space: str, places: Positions) -> Embedded:
    """Return the training images at ``places`` among them as ``space`` compares them."""
    maps = maps_at(run.maps, places) if SPACES[space].compares == "maps" else ()
    return images_in(run, run.train[places], space)._replace(maps=maps)


def images_in(run: Run, rows: Positions, space: str) -> Embedded:
    """Return the images at ``rows``, without maps, as ``space`` compares them."""
    found = at(run.embedded, rows)
    of_clip = SPACES[space].compares == "clip"
    return found._replace(features=run.clip[rows], finer=0) if of_clip else found


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
    run: Run, search: Search, out_of_fold: dict[str, Any] | None, seed: int
) -> dict[str, Any]:
    """Return the quality of a space: `fidelity_figures`, and what neighbours have in common.

    ``disagreement_auroc`` is out of fold, pooled over the folds, if that was measured: the
    evaluated images alone contain too few errors. Where the search is approximate,
    ``neighbour_recall`` is the share of the `ASKED` nearest that it finds.

    Args:
        run: what is explained.
        search: for neighbours in the space.
        out_of_fold: figures of the same space on training images, if measured.
        seed: of the bootstraps.
    """
    rows, columns = np.arange(len(run.evaluated)), np.arange(len(run.train))
    near, _ = search.nearest(rows, columns, k=ASKED)
    logits, labels = run.embedded.logits, labels_of(run)[run.train]
    table = fidelity(near, logits[run.evaluated], logits[run.train], labels)
    found = fidelity_figures(table, ~correct(run), seed)
    if len(columns) > search.exact_up_to:
        found["neighbour_recall"] = neighbour_recall(search, near, columns, seed)
    if out_of_fold is not None:
        found["out_of_fold"] = out_of_fold
        found.pop("disagreement_auroc", None)
        if "disagreement_auroc" in out_of_fold:
            found["disagreement_auroc"] = out_of_fold["disagreement_auroc"]
    shared = {
        str(name): shared_attribute(
            search, values.to_numpy()[run.evaluated], values.to_numpy()[run.train], seed, name
        )
        for name, values in run.attributes.items()
    }
    if family := shared.pop("family"):
        found |= {"same_family_at_5": family["share"], "family": family}
    found["attributes"] = {name: one for name, one in shared.items() if one}
    return found


def neighbour_recall(search: Search, near: np.ndarray, columns: np.ndarray, seed: int) -> Estimate:
    """Return the share of the true nearest references that ``near`` ``[Q,k]`` names."""
    count = min(RECALL_QUERIES, len(near))
    rows = np.sort(generator(seed, "recall").choice(len(near), count, replace=False))
    true, _ = nearest_between(search.compare, rows, columns, near.shape[1])
    named = (true[:, :, None] == near[rows, None, :]).any(axis=2)
    return mean(named.mean(axis=1), seed, "recall")


def shared_attribute(
    search: Search, queries: np.ndarray, references: np.ndarray, seed: int, *names: object
) -> dict[str, Any]:
    """Return how many of the nearest `ASKED` share a query's value, compared with chance.

    Queries and references without a value ("") do not count. ``share``: the mean over queries;
    ``chance``: the share of the query's value among all references that have one. Empty if fewer
    than two queries, or no references, have a value.

    Args:
        search: for neighbours.
        queries: values ``[Q]``.
        references: values ``[T]``.
        seed: of the bootstrap over queries.
        names: of the bootstrap.
    """
    rows, columns = np.flatnonzero(queries != ""), np.flatnonzero(references != "")
    if len(rows) < 2 or not len(columns):
        return {}
    near, _ = search.nearest(rows, columns, k=ASKED)
    shared = (references[near] == queries[rows, None]).mean(axis=1)
    frequency = pd.Series(references[columns]).value_counts(normalize=True)
    chance = pd.Series(queries[rows]).map(frequency).fillna(0).to_numpy()
    return {
        "n": len(rows),
        "share": float(shared.mean()),
        "chance": float(chance.mean()),
        "over_chance": mean(shared - chance, seed, *names),
    }


def shared_maps(run: Run, twins: np.ndarray, space: str) -> np.ndarray:
    """Return `shared_map` ``[Q,k,h,w]`` of each query and each of its twins, zero for no twin.

    Args:
        run: what is explained.
        twins: positions of the twins among the training images, ``[Q,k]``; -1: none.
        space: that the twins are nearest in.
    """
    weight, _ = head_of(run.network)

    def found() -> Iterator[tuple[np.ndarray]]:
        start = 0
        for queries in evaluated_maps(run):
            ranked = twins[start : start + len(queries.logits)].T
            start += ranked.shape[1]
            maps = [
                np.where(
                    (own >= 0)[:, None, None],
                    shared_map(space, queries, references_in(run, space, own), weight),
                    0,
                )
                for own in ranked
            ]
            yield (np.stack(maps, axis=1).astype(np.float32),)

    return join_rows(found(), len(twins))[0]
