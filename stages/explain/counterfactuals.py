"""What would have to change for each evaluated image to get another prediction.

The nearest training image with another predicted class, the fewest cells to swap with it, and the
semifactual ("even if") image. A swap is exact in feature space only, so the same squares are pasted
into the image, which is classified again (`stages.explain.pasting`).
"""

from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from stages.explain.pasting import (
    Pairs,
    defect_figures,
    flip_figures,
    pasted_flips,
    region_figures,
)
from stages.explain.retrieval import retrieval, thumbnails
from stages.explain.run import Explanation, Run, correct, head_of, labels_of
from stages.explain.twins import DEFAULT, Search, Twins, images_in
from twincam.explanations.counterfactuals import Swap, minimal_swap
from twincam.explanations.twins.neighbours import Compare, Neighbours, Positions, nearest_by_class
from twincam.explanations.twins.spaces import SPACES, similarity
from twincam.models.embedded import join_rows
from twincam.models.forward import BATCH, batches, embed_batch, logits_of
from twincam.models.levels import class_scores


def find_counterfactuals(run: Run, twins: Twins, seed: int) -> Explanation:
    """Find the counterfactual of each evaluated image, its smallest swap, and its semifactual.

    The counterfactual is the nearest image with another predicted class (the nearest unlike
    neighbour of Dasarathy 1995).

    Args:
        run: what is explained.
        twins: the space, and the search for training images in it.
        seed: of controls and bootstraps.

    Returns:
        The cells ``swapped``, bool, none if no training image has another predicted class;
        ``reached`` ``[Q]``, the index of the class then predicted, not always the counterfactual's
        if there are several; ``flips`` ``[Q]``, 1 where pasting their squares into the image
        changes its prediction, 0 where not (both -1 without a counterfactual); the neighbours; and
        the metrics ``counterfactual``.
    """
    predicted = run.table["predicted"].to_numpy()
    classes = predicted[run.evaluated], predicted[run.train]
    found = nearest_by_class(twins.search.nearest, *classes, k=1, alike=False)
    partners = found[0][:, 0]
    exist, swap = find_swaps(run, partners)
    swapped = np.zeros((len(partners), *swap.cells.shape[1:]), bool)
    swapped[exist] = swap.cells
    reached = np.full(len(partners), -1)
    reached[exist] = swap.reached
    pairs = pairs_of(run, partners)
    hits = pasted_flips(partial(logits_of, run.network), run.images, pairs, swap.cells)
    flips = np.full(len(partners), -1, np.int8)
    flips[exist] = hits
    figures = counterfactual_figures(run, partners, swap, hits, seed)
    return Explanation(
        {"counterfactual": figures | partner_retrieval(run, twins.space, seed)},
        {"swapped": swapped, "reached": reached, "flips": flips},
        {"counterfactual": found, "semifactual": find_semifactuals(twins.search, found, *classes)},
    )


def find_swaps(run: Run, partners: np.ndarray) -> tuple[np.ndarray, Swap]:
    """Return which queries have a counterfactual, bool ``[Q]``, and the minimal swap of these.

    Args:
        run: what is explained.
        partners: positions of the counterfactuals among the training images, ``[Q]``; -1: none.
    """
    exist = partners >= 0
    if not exist.any():
        grid = cell_scores(run, run.evaluated[:1]).shape[2:]
        return exist, Swap(np.zeros((0, *grid), bool), np.zeros(0, int), np.zeros(0, int))
    queries, partner_rows = run.evaluated[exist], run.train[partners[exist]]
    _, bias = head_of(run.network)
    return exist, minimal_swap(cell_scores(run, queries), cell_scores(run, partner_rows), bias)


def cell_scores(run: Run, rows: np.ndarray) -> np.ndarray:
    """Return `class_scores` ``[N,K,h,w]`` of the images at ``rows``."""
    weight, _ = head_of(run.network)
    found = (
        (class_scores(embed_batch(run.network, run.images[rows[part]]).maps, weight),)
        for part in batches(len(rows), BATCH)
    )
    return join_rows(found, len(rows))[0]


def find_semifactuals(
    search: Search, counterfactuals: Neighbours, own: np.ndarray, other: np.ndarray
) -> Neighbours:
    """Return the semifactual ("even if") image of each query and its similarity, ``[Q,1]``.

    Among the training images with the query's predicted class, the one most similar to its
    counterfactual that is still nearer to the query than the counterfactual: even at that distance
    the prediction holds (Nugent, Doyle & Cunningham, JIIS 2009; Kenny & Keane, AAAI 2021). Position
    -1 and similarity NaN if there is none.

    Args:
        search: for training images.
        counterfactuals: ``[Q,1]``.
        own: predicted class of each query, ``[Q]``.
        other: predicted class of each training image, ``[T]``.
    """
    partners, reach = (part[:, 0] for part in counterfactuals)

    def to_partner(rows: Positions, columns: Positions) -> np.ndarray:
        return search.compare_references(partners[rows], columns)

    def nearer(rows: Positions, columns: Positions) -> np.ndarray:
        return np.asarray(search.compare(rows, columns) > reach[rows, None])

    find = partial(search._replace(compare=to_partner).nearest, allowed=nearer)
    found, _ = nearest_by_class(find, own, other, k=1, alike=True)
    value = paired(search.compare, found[:, 0])
    return found, np.where(found < 0, np.nan, value[:, None])


def paired(compare: Compare, columns: np.ndarray) -> np.ndarray:
    """Return the similarity ``[Q]`` of each query to the training image at its place."""
    parts = np.array_split(np.arange(len(columns)), len(columns) // BATCH + 1)
    return np.concatenate([compare(rows, columns[rows]).diagonal() for rows in parts])


def pairs_of(run: Run, partners: np.ndarray) -> Pairs:
    """Return the queries that have a counterfactual, with it and their predicted class.

    Args:
        run: what is explained.
        partners: positions of the counterfactuals among the training images, ``[Q]``; -1: none.
    """
    exist = partners >= 0
    predicted = run.embedded.logits[run.evaluated].argmax(axis=1)
    return Pairs(run.evaluated[exist], run.train[partners[exist]], predicted[exist])


def counterfactual_figures(
    run: Run, partners: np.ndarray, swap: Swap, hits: np.ndarray, seed: int
) -> dict[str, Any]:
    """Return the effect of the swaps in the image, and their agreement with the known defects.

    Regions and defects are evaluated on correctly predicted images only: for a fake predicted as
    real, the cells that support the prediction are not its defect.

    Args:
        run: what is explained.
        partners: positions of the counterfactuals among the training images, ``[Q]``; -1: none.
        swap: of the queries that have one.
        hits: whether the swaps, pasted into these, change the prediction.
        seed: of controls and bootstraps.
    """
    predicted = run.embedded.logits[run.evaluated].argmax(axis=1)
    sound = (run.masks > 0) & correct(run)[:, None, None]
    exist = partners >= 0
    true_partner = true_partners(run.table)[run.evaluated]
    repaired = (true_partner >= 0) & sound.any(axis=(1, 2))
    swaps = pairs_of(run, partners)
    repairs = Pairs(run.evaluated[repaired], true_partner[repaired], predicted[repaired])

    def classify(images: np.ndarray) -> np.ndarray:
        return logits_of(run.network, images)

    return {
        **flip_figures(classify, run.images, swaps, swap, hits, seed),
        **defect_figures(swap.cells, sound[exist], seed),
        **region_figures(classify, run.images, repairs, run.masks[repaired], seed),
    }


def true_partners(table: pd.DataFrame) -> np.ndarray:
    """Return for each image ``[M]`` the row of the one image of its group with another label.

    -1 if there is none or more than one: the group is then not a pair.
    """
    found = np.full(len(table), -1)
    rows = pd.Series(np.arange(len(table)))
    for _, pair in rows.groupby(table["group"].to_numpy()):
        if len(pair) == 2 and table["label"].iloc[pair].nunique() == 2:
            found[pair] = pair[::-1]
    return found


def partner_retrieval(run: Run, space: str, seed: int) -> dict[str, Any]:
    """Return how well ``space`` finds the evaluated images' true partners; empty without any.

    Candidates are all images of the other class. Comparing these cell by cell would take too long,
    so `DEFAULT` replaces a space that compares maps.
    """
    target = true_partners(run.table)[run.evaluated]
    asked = target >= 0
    if not asked.any():
        return {}
    name = DEFAULT if SPACES[space].compares == "maps" else space
    rows, labels = run.evaluated[asked], labels_of(run)
    small, (weight, _) = thumbnails(run.images), head_of(run.network)

    def among_others(compare: Compare) -> Compare:
        def compared(queries: Positions, columns: Positions) -> np.ndarray:
            other = labels[rows[queries], None] != labels[columns]
            return np.where(other, compare(rows[queries], columns), -np.inf)

        return compared

    def in_space(queries: Positions, columns: Positions) -> np.ndarray:
        first, second = (images_in(run, some, name) for some in (queries, columns))
        return similarity(name, first, second, weight)

    def by_thumbnail(queries: Positions, columns: Positions) -> np.ndarray:
        return np.asarray(small[queries] @ small[columns].T)

    compared, control = among_others(in_space), among_others(by_thumbnail)
    return retrieval(compared, control, target[asked], len(labels), seed)
