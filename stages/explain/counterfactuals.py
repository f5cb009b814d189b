"""What would have to change for each evaluated image to be predicted otherwise.

The nearest training image predicted otherwise, the fewest cells to swap with it, and the image that
says "even if". A swap is exact in feature space alone, so the same squares are pasted into the
image and judged again, beside controls that are blind to what was found.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import hypergeom

from stages.explain.retrieval import retrieval, thumbnails
from stages.explain.run import Explanation, Run, correct, head_of
from stages.explain.twins import DEFAULT, Twins, images_in, references_in
from twincam.explanations.counterfactuals import (
    Swap,
    minimal_swap,
    paste_cells,
    paste_region,
    random_cells,
    semifactuals,
)
from twincam.explanations.localisation import cells_near, of_other_images
from twincam.explanations.maps import shows_place
from twincam.explanations.twins.neighbours import nearest
from twincam.explanations.twins.spaces import SPACES
from twincam.models.embedded import at
from twincam.models.forward import BATCH, batches, embed_batch, logits_of
from twincam.statistics.estimates import difference, median, share

Classify = Callable[[np.ndarray], np.ndarray]
"""The network: bytes ``[B,S,S,3]`` to logits ``[B,K]``."""

PASTED, DRAWS = 32, 5
"""Images pasted at a time; random draws that a control is the mean of."""

ROLLS = ((0.5, 0.0), (0.0, 0.5), (0.5, 0.5))
"""Where a region's control lies, in sides of the image down and to the right."""


class Pairs(NamedTuple):
    """Rows of images ``[N]``, of the partners they are changed by, and the classes predicted."""

    queries: np.ndarray
    partners: np.ndarray
    predicted: np.ndarray


def find_counterfactuals(run: Run, twins: Twins, seed: int) -> Explanation:
    """Find the counterfactual of each evaluated image, its smallest swap, and its semifactual.

    The counterfactual is the nearest image that the model predicts otherwise (the nearest unlike
    neighbour of Dasarathy 1995).

    Args:
        run: what is explained.
        twins: say which space, and how near the training images are in it.
        seed: of controls and bootstraps.

    Returns:
        The cells ``swapped``, bool, none where no training image is predicted otherwise; the
        neighbours; and as metrics ``counterfactual``.
    """
    predicted = run.table["predicted"].to_numpy()
    alike = predicted[run.evaluated, None] == predicted[run.train]
    found = nearest(twins.similarity, 1, ~alike)
    partners = found[0][:, 0]
    exist, swap = find_swaps(run, partners)
    swapped = np.zeros(twins.shared.shape, bool)
    swapped[exist] = swap.cells
    figures = counterfactual_figures(run, partners, swap, seed)
    return Explanation(
        {"counterfactual": figures | partner_retrieval(run, twins.space, seed)},
        {"swapped": swapped},
        {"counterfactual": found, "semifactual": find_semifactuals(run, twins, partners, alike)},
    )


def find_swaps(run: Run, partners: np.ndarray) -> tuple[np.ndarray, Swap]:
    """Return which queries have a counterfactual, bool ``[Q]``, and the minimal swap of those.

    Args:
        run: what is explained.
        partners: positions of the counterfactuals among the training images, ``[Q]``; -1: none.
    """
    exist = partners >= 0
    if not exist.any():
        return exist, Swap(np.zeros((0, 1, 1), bool), np.zeros(0, int), np.zeros(0, int))
    queries, partner_rows = run.evaluated[exist], run.train[partners[exist]]
    _, bias = head_of(run.network)
    return exist, minimal_swap(cell_scores(run, queries), cell_scores(run, partner_rows), bias)


def cell_scores(run: Run, rows: np.ndarray) -> np.ndarray:
    """Return the head's weight times the last feature maps of the images at ``rows``: [N,K,h,w]."""
    weight, _ = head_of(run.network)
    return np.concatenate(
        [
            np.einsum("kc,nchw->nkhw", weight, embed_batch(run.network, run.images[part]).maps)
            for part in (rows[some] for some in batches(len(rows), BATCH))
        ]
    )


def find_semifactuals(
    run: Run, twins: Twins, partners: np.ndarray, alike: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the image ``[Q,1]`` that says "even if" for each query; see `semifactuals`.

    Args:
        run: what is explained.
        twins: the space and the similarities in it.
        partners: positions of the counterfactuals among the training images, ``[Q]``; -1: none.
        alike: bool ``[Q,T]``, whether a training image is predicted as the query is.
    """
    references, (weight, _) = references_in(run, twins.space), head_of(run.network)
    similarity = SPACES[twins.space].similarity
    between = similarity(at(references, partners), references, weight)
    index, value = semifactuals(twins.similarity, between, partners, alike)
    return index[:, None], value[:, None]


def counterfactual_figures(run: Run, partners: np.ndarray, swap: Swap, seed: int) -> dict[str, Any]:
    """Return what the swaps are worth, in the image and against the known defects.

    Regions and defects are asked of correctly predicted images alone: of a fake that passes, the
    cells that speak for it are not its defect.

    Args:
        run: what is explained.
        partners: positions of the counterfactuals among the training images, ``[Q]``; -1: none.
        swap: of the queries that have one.
        seed: of controls and bootstraps.
    """
    predicted = run.embedded.logits[run.evaluated].argmax(axis=1)
    sound = (run.masks > 0) & correct(run)[:, None, None]
    exist = partners >= 0
    true_partner = true_partners(run.table)[run.evaluated]
    repaired = (true_partner >= 0) & sound.any(axis=(1, 2))
    swaps = Pairs(run.evaluated[exist], run.train[partners[exist]], predicted[exist])
    repairs = Pairs(run.evaluated[repaired], true_partner[repaired], predicted[repaired])

    def classify(images: np.ndarray) -> np.ndarray:
        return logits_of(run.network, images)

    return {
        **flip_figures(classify, run.images, swaps, swap, seed),
        **defect_figures(swap.cells, sound[exist], seed),
        **region_figures(classify, run.images, repairs, run.masks[repaired], seed),
    }


def true_partners(table: pd.DataFrame) -> np.ndarray:
    """Return for each image ``[M]`` the row of the one image of its group with another label.

    -1 where there is none or more than one: the group then is no pair.
    """
    found = np.full(len(table), -1)
    rows = pd.Series(np.arange(len(table)))
    for _, pair in rows.groupby(table["group"].to_numpy()):
        if len(pair) == 2 and table["label"].iloc[pair].nunique() == 2:
            found[pair] = pair[::-1]
    return found


def partner_retrieval(run: Run, space: str, seed: int) -> dict[str, Any]:
    """Return how well ``space`` finds the evaluated images' true partners; empty without any.

    Candidates are all images of the other class; cell by cell that would take too long, so that
    `DEFAULT` stands in for a space that compares maps.
    """
    target = true_partners(run.table)[run.evaluated]
    asked = target >= 0
    if not asked.any():
        return {}
    name = DEFAULT if SPACES[space].compares == "maps" else space
    rows, everyone = run.evaluated[asked], np.arange(len(run.table))
    queries, candidates = (images_in(run, some, name) for some in (rows, everyone))
    labels = run.table["label"].to_numpy()
    other = labels[rows, None] != labels
    small = thumbnails(run.images)
    similarity = SPACES[name].similarity(queries, candidates, head_of(run.network)[0])
    values, control = (
        np.where(other, found, -np.inf) for found in (similarity, small[rows] @ small.T)
    )
    return retrieval(values, control, target[asked], seed)


def flip_figures(
    classify: Classify, images: np.ndarray, pairs: Pairs, swap: Swap, seed: int
) -> dict[str, Any]:
    """Return how few cells are swapped, and whether the same squares turn the image itself.

    ``n`` images; ``cells_median`` with the interval of its order statistics; ``image_flip_rate``,
    the share whose prediction leaves its class once the squares are pasted; its control
    ``image_flip_rate_random``, the same for as many random cells, mean of `DRAWS` draws; and
    ``image_flip_rate_over_random``, their paired difference. Without images ``n`` alone. Costs
    1 + `DRAWS` forward passes an image.

    Args:
        classify: the network.
        images: bytes ``[M,S,S,3]``, read a batch at a time.
        pairs: N images and their counterfactuals.
        swap: of the same.
        seed: of the random cells and the bootstrap.
    """
    n = len(pairs.queries)
    if not n:
        return {"n": 0}

    def flips(cells: np.ndarray) -> np.ndarray:
        def pasted(part: slice) -> np.ndarray:
            own, partner = (images[rows[part]] for rows in (pairs.queries, pairs.partners))
            return paste_cells(own, partner, cells[part])

        return _flipped(classify, pasted, pairs.predicted)

    hits = flips(swap.cells)
    chance = np.mean([flips(random_cells(swap.cells, seed, draw)) for draw in range(DRAWS)], axis=0)
    return {
        "n": n,
        "cells_median": median(swap.needed),
        "image_flip_rate": share(hits),
        "image_flip_rate_random": share(chance),
        "image_flip_rate_over_random": difference(hits, chance, seed, "image flips"),
    }


def _flipped(
    classify: Classify, changed: Callable[[slice], np.ndarray], predicted: np.ndarray
) -> np.ndarray:
    """Return, bool ``[N]``, whether the prediction of each changed image is not ``predicted``."""
    parts = [slice(start, start + PASTED) for start in range(0, len(predicted), PASTED)]
    return np.concatenate(
        [classify(changed(part)).argmax(axis=1) != predicted[part] for part in parts]
    )


def defect_figures(cells: np.ndarray, masks: np.ndarray, seed: int) -> dict[str, Any]:
    """Return how often the swapped cells lie where the images are known to be defective.

    A cell lies on the defect if its square holds a pixel within the pointing game's tolerance of
    the mask; an image counts if at least half of its swapped cells do. Controls, each with the
    paired difference: ``random``, as many random cells (in expectation); ``other_image``, the cells
    chosen for another image (mean over all others), which tell where defects usually lie.

    Args:
        cells: those swapped, ``[N,h,w]``, at least one each.
        masks: ``[N,S,S]``, empty where no defect is known; those images do not count, and with
            fewer than two others, or a single cell to each image, only ``cells_on_defect_n`` is
            given.
        seed: of the bootstrap.
    """
    masked = masks.any(axis=(1, 2))
    n = int(masked.sum())
    if n < 2 or not shows_place(cells):
        return {"cells_on_defect_n": n}
    near = cells_near(masks[masked], *cells.shape[1:]).reshape(n, -1)
    chosen = cells[masked].reshape(n, -1)
    count = chosen.sum(axis=1)
    on = 2 * (near.astype(int) @ chosen.T.astype(int)) >= count  # [mask,cells]
    hits = np.diag(on)
    controls = {
        "random": hypergeom.sf((count + 1) // 2 - 1, near.shape[1], near.sum(axis=1), count),
        "other_image": of_other_images(on),
    }
    figures: dict[str, Any] = {"cells_on_defect_n": n, "cells_on_defect": share(hits)}
    for name, control in controls.items():
        figures[f"cells_on_defect_{name}"] = share(control)
        over = difference(hits, control, seed, "cells on defect", name)
        figures[f"cells_on_defect_over_{name}"] = over
    return figures


def region_figures(
    classify: Classify, images: np.ndarray, pairs: Pairs, masks: np.ndarray, seed: int
) -> dict[str, Any]:
    """Return how often repairing the defect itself turns the prediction.

    ``region_flip_rate`` pastes the defect's region from the partner that lacks it, and
    ``region_flip_rate_rolled`` the same shape elsewhere, mean of `ROLLS` (a shape that leaves the
    image comes in again on the other side): what pasting by itself does. ``region_n`` images;
    without any that figure alone. Costs 1 + 3 forward passes an image.

    Args:
        classify: the network.
        images: bytes ``[M,S,S,3]``, read a batch at a time.
        pairs: N images with a defect, and the same scenes without it.
        masks: of the defects, ``[N,S,S]``, none empty.
        seed: of the bootstrap.
    """
    n, size = masks.shape[:2]
    if not n:
        return {"region_n": 0}

    def flips(down: float, right: float) -> np.ndarray:
        def pasted(part: slice) -> np.ndarray:
            shift = (round(down * size), round(right * size))
            regions = np.roll(masks[part], shift, axis=(1, 2))
            own, partner = (images[rows[part]] for rows in (pairs.queries, pairs.partners))
            return paste_region(own, partner, regions)

        return _flipped(classify, pasted, pairs.predicted)

    hits = flips(0, 0)
    rolled = np.mean([flips(*roll) for roll in ROLLS], axis=0)
    return {
        "region_n": n,
        "region_flip_rate": share(hits),
        "region_flip_rate_rolled": share(rolled),
        "region_flip_rate_over_rolled": difference(hits, rolled, seed, "region flips"),
    }
