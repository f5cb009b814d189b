"""What each prototype is: its patch, its worth, the patches nearest to it, what they lie on."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from stages.protopnet.guards import live_by_class
from stages.protopnet.parts import BOX, NEAREST, box_sums
from stages.protopnet.patches import cell_centre
from stages.protopnet.scene import Scene
from stages.protopnet.training import Fitted, Strongest


class Near(NamedTuple):
    """The nearest patches of each prototype, the most similar first, each of another image.

    ``rows`` ``[P,k]`` of the images, ``cells`` ``[P,k,2]``, ``similarity`` ``[P,k]``.
    """

    rows: np.ndarray
    cells: np.ndarray
    similarity: np.ndarray


def nearest_patches(found: Strongest, rows: np.ndarray, source: np.ndarray) -> Near:
    """Return the `NEAREST` patches of each prototype among images, its own source left out.

    Args:
        found: best similarities of the images.
        rows: which images they are, ``[N]``.
        source: the row of each prototype's image, ``[P]``.
    """
    itself = rows[:, None] == source
    count = min(NEAREST, int((~itself).sum(axis=0).min()))
    ranked = np.where(itself, -np.inf, found.similarity)
    near = np.argsort(-ranked, axis=0, kind="stable")[:count].T
    each = np.arange(len(source))[:, None]
    return Near(rows[near], found.cells[near, each], found.similarity[near, each])


def box_share(masks: np.ndarray, rows: np.ndarray, cells: np.ndarray, stride: int) -> np.ndarray:
    """Return, ``[N]``, the share of a box of `parts.BOX` around a cell that an image's mask fills.

    Args:
        masks: ``[M,S,S]``; M is 0 where nothing is known, and all shares are NaN then.
        rows: of the masks, ``[N]``.
        cells: row and column of each cell, ``[N,2]``.
        stride: of a cell in pixels.
    """
    if not len(masks):
        return np.full(len(rows), np.nan)
    size = masks.shape[-1]
    shape, side = (-(-size // stride),) * 2, round(BOX * size)
    whole = box_sums(np.ones((1, size, size), bool), shape, stride, side)[0]
    filled = {row: box_sums(masks[[row]] > 0, shape, stride, side)[0] for row in set(rows.tolist())}
    places = zip(rows.tolist(), cells, strict=True)
    return np.array([filled[row][y, x] / whole[y, x] for row, (y, x) in places])


def peaks_on(masks: np.ndarray, rows: np.ndarray, found: Strongest, stride: int) -> np.ndarray:
    """Return, ``[P]``, in what share of the images with a mask a prototype's best box touches it.

    A prototype may answer to a mark though its own patch shows something else. NaN where no image
    has a mask.

    Args:
        masks: ``[M,S,S]``, or ``[0,S,S]`` where nothing is known.
        rows: of the images, ``[N]``.
        found: best similarities of these.
        stride: of a cell in pixels.
    """
    carriers = [n for n, row in enumerate(rows) if len(masks) and masks[row].any()]
    if not carriers:
        return np.full(found.similarity.shape[1], np.nan)
    cells = found.cells[carriers]
    shares = box_share(masks, rows[carriers].repeat(cells.shape[1]), cells.reshape(-1, 2), stride)
    return np.asarray((shares.reshape(cells.shape[:2]) > 0).mean(axis=0))


def prototype_figures(fitted: Fitted, classes: Sequence[str]) -> dict[str, Any]:
    """Return how many prototypes there are, from how many images, and how many give points."""
    owner, points = fitted.net.owner.cpu().numpy(), fitted.net.points.cpu().numpy()
    return {
        "total": len(owner),
        "distinct_images": len(np.unique(fitted.source[:, 0])),
        "live": live_by_class(owner, points, classes),
    }


def prototype_table(
    scene: Scene,
    fitted: Fitted,
    field: tuple[int, int],
    fields: np.ndarray,
    near: Sequence[Near],
    removed: Mapping[int, str],
) -> pd.DataFrame:
    """Return a row a prototype: its class, points, patch, what that lies on, what is near it.

    ``on_mark`` and ``on_defect``: the share of a box of `parts.BOX` around its patch's centre that
    a known mark or defect fills, empty where none of any image is known; ``near_on_mark``: the
    share of its nearest training patches whose box touches a mark; ``peaks_on_mark``: of `peaks_on`
    in the training images. ``train_share`` and
    ``evaluated_share``: the share of its class among the nearest patches.

    Args:
        scene: the images.
        fitted: the network and its sources.
        field: receptive field and stride of a cell in pixels.
        fields: the effective field of each, ``[P]``, in pixels.
        near: the nearest training and evaluated patches.
        removed: reasons of the prototypes that a person took out.
    """
    row, cells = fitted.source[:, 0], fitted.source[:, 1:]
    owner = fitted.net.owner.cpu().numpy()
    width, stride = field
    centres = np.array([cell_centre(cell, stride) for cell in cells])
    around = near[0]
    touched = box_share(scene.marks, around.rows.ravel(), around.cells.reshape(-1, 2), stride)
    touched = np.where(np.isnan(touched), np.nan, touched > 0).reshape(around.rows.shape)
    names, labels = np.array(scene.classes)[owner], scene.split["label"].to_numpy()
    shares = [(labels[one.rows] == names[:, None]).mean(axis=1) for one in near]
    return pd.DataFrame(
        {
            "prototype": np.arange(len(owner)),
            "class": names,
            "points": fitted.net.points.cpu().numpy(),
            "id": scene.split["id"].to_numpy()[row],
            "path": scene.split["path"].to_numpy()[row],
            "row": row,
            "centre_y": centres[:, 0],
            "centre_x": centres[:, 1],
            "receptive_field": width,
            "effective_field": fields,
            "on_mark": box_share(scene.marks, row, cells, stride),
            "on_defect": box_share(scene.masks, row, cells, stride),
            "near_on_mark": touched.mean(axis=1),
            "peaks_on_mark": peaks_on(scene.marks, scene.train, fitted.known, stride),
            "train_share": shares[0],
            "evaluated_share": shares[1],
            "removed": [removed.get(number, "") for number in range(len(owner))],
        }
    )
