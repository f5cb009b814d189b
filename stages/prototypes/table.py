"""What each prototype is: its patch, its weight, the patches nearest to it, what they lie on."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from stages.prototypes.parts import BOX, NEAREST, box_sums
from stages.prototypes.run import Run
from twincam.explanations.prototypes.best_cells import Matches
from twincam.explanations.prototypes.contributions import LastLayer
from twincam.explanations.prototypes.network_file import Source
from twincam.explanations.prototypes.places import Field, cell_centres
from twincam.files.shards import Rows


class NearestPatches(NamedTuple):
    """The nearest patches of each prototype, the most similar first, each of another image.

    ``rows`` ``[P,k]`` of the images, ``cells`` ``[P,k,2]``, ``similarity`` ``[P,k]``.
    """

    rows: np.ndarray
    cells: np.ndarray
    similarity: np.ndarray


def nearest_patches(matches: Matches, rows: np.ndarray, source: np.ndarray) -> NearestPatches:
    """Return the `NEAREST` patches of each prototype among images other than its own source.

    Args:
        matches: of the images.
        rows: which images they are, ``[N]``.
        source: the row of each prototype's image, ``[P]``.
    """
    itself = rows[:, None] == source
    count = min(NEAREST, int((~itself).sum(axis=0).min()))
    ranked = np.where(itself, -np.inf, matches.similarity)
    near = np.argsort(-ranked, axis=0, kind="stable")[:count].T
    each = np.arange(len(source))[:, None]
    return NearestPatches(rows[near], matches.cells[near, each], matches.similarity[near, each])


def nearest_of(run: Run) -> tuple[NearestPatches, NearestPatches]:
    """Return the nearest patches among the training and among the evaluated images."""
    source = run.measured.patches[:, 0]
    return (
        nearest_patches(run.measured.train, run.train, source),
        nearest_patches(run.measured.evaluated, run.evaluated, source),
    )


def box_share(masks: Rows, rows: np.ndarray, cells: np.ndarray, field: Field) -> np.ndarray:
    """Return, ``[N]``, the share of a box of `parts.BOX` around a cell that an image's mask fills.

    Args:
        masks: ``[M,S,S]``; M is 0 where nothing is known, and all shares are NaN then.
        rows: of the masks, ``[N]``.
        cells: row and column of each cell, ``[N,2]``.
        field: of the cells.
    """
    if not len(masks):
        return np.full(len(rows), np.nan)
    side = round(BOX * masks.shape[-1])
    whole = box_sums(np.ones((1, *masks.shape[1:]), bool), field, side)[0]
    filled = {row: box_sums(masks[[row]] > 0, field, side)[0] for row in set(rows.tolist())}
    places = zip(rows.tolist(), cells, strict=True)
    return np.array([filled[row][y, x] / whole[y, x] for row, (y, x) in places])


def peaks_on(masks: Rows, rows: np.ndarray, matches: Matches, field: Field) -> np.ndarray:
    """Return, ``[P]``, in what share of the images with a mask a prototype's best box touches it.

    A prototype may respond to a mark though its own patch shows something else. NaN where no image
    has a mask.

    Args:
        masks: ``[M,S,S]``, or ``[0,S,S]`` where nothing is known.
        rows: of the images, ``[N]``.
        matches: of these.
        field: of the cells.
    """
    carriers = [n for n, row in enumerate(rows) if len(masks) and masks[row].any()]
    if not carriers:
        return np.full(matches.similarity.shape[1], np.nan)
    cells = matches.cells[carriers]
    shares = box_share(masks, rows[carriers].repeat(cells.shape[1]), cells.reshape(-1, 2), field)
    return np.asarray((shares.reshape(cells.shape[:2]) > 0).mean(axis=0))


def prototype_table(
    run: Run,
    layer: LastLayer,
    field: Field,
    nearest: Sequence[NearestPatches],
    removed: Mapping[int, str],
) -> pd.DataFrame:
    """Return one row per prototype: its class, weight, patch, what that lies on, what is near it.

    ``on_mark`` and ``on_defect``: the share of a box of `parts.BOX` around its patch's centre that
    a known mark or defect fills, empty if none are known for any image; ``near_on_mark``: the
    share of its nearest training patches whose box touches a mark; ``peaks_on_mark``: of `peaks_on`
    in the training images. ``train_share`` and ``evaluated_share``: the share of its class among
    the nearest patches.

    Args:
        run: the images and their similarities.
        layer: owners and weights.
        field: of the cells.
        nearest: the nearest training and evaluated patches.
        removed: reasons of the prototypes that a person removed.
    """
    sources = run.measured.patches
    row, cells = sources[:, 0], sources[:, 1:]
    centres = cell_centres(cells, field)
    near = nearest[0]
    touched = box_share(run.marks, near.rows.ravel(), near.cells.reshape(-1, 2), field)
    touched = np.where(np.isnan(touched), np.nan, touched > 0).reshape(near.rows.shape)
    names, labels = np.array(run.classes)[layer.owner], run.split["label"].to_numpy()
    shares = [(labels[one.rows] == names[:, None]).mean(axis=1) for one in nearest]
    return pd.DataFrame(
        {
            "prototype": np.arange(len(names)),
            "class": names,
            "weight": layer.weight,
            "id": run.split["id"].to_numpy()[row],
            "path": run.split["path"].to_numpy()[row],
            "row": row,
            "centre_y": centres[:, 0],
            "centre_x": centres[:, 1],
            "receptive_field": field.side,
            "stride": field.stride,
            "first": field.first,
            "effective_field": run.measured.sources["effective_field"].to_numpy(),
            "on_mark": box_share(run.marks, row, cells, field),
            "on_defect": box_share(run.masks, row, cells, field),
            "near_on_mark": touched.mean(axis=1),
            "peaks_on_mark": peaks_on(run.marks, run.train, run.measured.train, field),
            "train_share": shares[0],
            "evaluated_share": shares[1],
            "removed": [removed.get(number, "") for number in range(len(names))],
        }
    )


def sources_of(table: pd.DataFrame) -> list[Source]:
    """Return where each prototype of `prototype_table` comes from."""
    columns = (table[name].tolist() for name in ("path", "centre_y", "centre_x"))
    return [Source(path, (y, x)) for path, y, x in zip(*columns, strict=True)]
