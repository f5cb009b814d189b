"""Heat maps against a known truth: does the heat lie where it is known to belong?

Pointing game: Zhang et al., Top-down Neural Attention by Excitation Backprop (IJCV 2018): a hit is
a maximum within 15 pixels of the region at 224 pixels. Energy: Wang et al., Score-CAM (CVPRW 2020):
the share of positive heat inside. Every figure stands beside controls that know nothing of the
image at hand.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.ndimage import distance_transform_edt

from twincam.explanations.maps import centred_map, resize_map, shows_place
from twincam.statistics.intervals import mean_with_interval, paired_difference, share_with_interval

TOLERANCE = 15 / 224
HALF = 0.5
THRESHOLDS = np.arange(0.1, 1.0, 0.1)


def peaks(maps: np.ndarray, size: int) -> np.ndarray:
    """Return row and column ``[N,2]`` of each map's maximum, in pixels.

    Between cells the maximum is that of the parabola through the largest cell and its neighbours
    along each axis, the usual sub-cell peak; at the border it is the cell's centre.

    Args:
        maps: ``[N,h,w]``.
        size: side of the image in pixels.
    """
    n, height, width = maps.shape
    cells = np.stack(np.divmod(maps.reshape(n, -1).argmax(axis=1), width), axis=1)
    shift = np.stack([_summit(maps, cells, axis) for axis in (0, 1)], axis=1)
    centres = (cells + 0.5 + shift) * size / np.array([height, width])
    return np.asarray(np.floor(centres).astype(int))


def _summit(maps: np.ndarray, cells: np.ndarray, axis: int) -> np.ndarray:
    """Return, -0.5 to 0.5 cells ``[N]``, where the parabola along ``axis`` is highest."""
    rows, step = np.arange(len(maps)), np.eye(2, dtype=int)[axis]
    last = np.array(maps.shape[1:]) - 1
    inside = (cells[:, axis] > 0) & (cells[:, axis] < last[axis])
    before, top, after = (
        maps[rows, *np.clip(cells + way * step, 0, last).T].astype(float) for way in (-1, 0, 1)
    )
    bend = before - 2 * top + after
    shift = np.divide(before - after, 2 * bend, out=np.zeros_like(bend), where=bend < 0)
    return np.where(inside, shift, 0.0)


def targets(masks: np.ndarray) -> np.ndarray:
    """Return, bool ``[N,S,S]``, the pixels within tolerance of masks ``[N,S,S]``."""
    tolerance = TOLERANCE * masks.shape[-1]
    return np.stack([distance_transform_edt(mask == 0) <= tolerance for mask in masks])


def coverage(masks: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return, ``[N,height,width]``, the share of each cell's square that masks ``[N,S,S]`` fill."""
    size = masks.shape[-1]
    filled = np.pad((masks > 0).cumsum(1).cumsum(2), ((0, 0), (1, 0), (1, 0)))
    row, column = (
        np.round(np.arange(count + 1) * size / count).astype(int) for count in (height, width)
    )
    corners = filled[:, row][:, :, column]
    inside = np.diff(np.diff(corners, axis=1), axis=2)
    return np.asarray(inside / (np.diff(row)[:, None] * np.diff(column)))


def pointing_game(
    maps: np.ndarray, masks: np.ndarray, seed: int, families: np.ndarray | None = None
) -> dict[str, Any]:
    """Return the hit rate of ``maps`` and of its controls, with 95 % intervals of the differences.

    Controls: ``uniform``, a random pixel (in expectation); ``centre``, the middle of the image;
    ``best_fixed_point``, the one pixel that hits most of these very masks; ``other_image``, the
    maximum of another image's map (averaged over all others).

    Args:
        maps: ``[N,h,w]``, N at least 2.
        masks: ``[N,S,S]``, none empty.
        seed: of the bootstrap, paired by image.
        families: what kind of truth each mask holds ``[N]``, "" where unknown; where any is known
            the rate of each stands under ``by_family``.
    """
    target = targets(masks)
    row, column = peaks(maps, masks.shape[-1]).T
    hit_of = target[:, row, column].astype(float)  # [mask, map]
    middle = masks.shape[-1] // 2
    best = np.unravel_index(target.mean(axis=0).argmax(), target.shape[1:])
    controls = {
        "uniform": target.mean(axis=(1, 2)),
        "centre": target[:, middle, middle].astype(float),
        "best_fixed_point": target[:, best[0], best[1]].astype(float),
        "other_image": _others(hit_of),
    }
    own = np.diag(hit_of)
    found = {
        **share_with_interval("pointing_game", own),
        "pointing_game_n": len(maps),
        **_over("pointing_game", own, controls, seed),
    }
    by_kind = by_family(own, families) if families is not None else {}
    return found | ({"by_family": by_kind} if by_kind else {})


def energy(maps: np.ndarray, masks: np.ndarray, seed: int) -> dict[str, Any]:
    """Return the share of positive heat inside the mask, as it is and as far as cells allow.

    ``energy_inside`` is the share itself, a cell counting by the share of it that the mask fills;
    a uniform map has the mask's share of the area. ``energy_in_mask`` divides it by the most that
    maps of this resolution can have, all heat in the cell that the mask fills most. A map without
    positive heat has none inside.

    Args:
        maps: ``[N,h,w]``, N at least 2.
        masks: ``[N,S,S]``, none empty.
        seed: of the bootstrap, paired by image.
    """
    covered = coverage(masks, *maps.shape[1:]).reshape(len(masks), -1)
    most = covered.max(axis=1)
    heat = np.maximum(maps, 0).reshape(len(maps), -1)
    share = heat / np.maximum(heat.sum(axis=1, keepdims=True), 1e-12)
    inside_of = covered @ share.T  # [mask, map]
    middle = centred_map(*maps.shape[1:]).ravel()
    inside = {
        "": np.diag(inside_of),
        "uniform": covered.mean(axis=1),
        "centre": covered @ (middle / middle.sum()),
        "other_image": _others(inside_of),
    }
    found: dict[str, Any] = {}
    for name, scale in (("energy_inside", 1.0), ("energy_in_mask", most)):
        own, *_ = scaled = [values / scale for values in inside.values()]
        found |= mean_with_interval(name, own, seed, name)
        controls = dict(zip(list(inside)[1:], scaled[1:], strict=True))
        found |= _over(name, own, controls, seed)
    return found


def overlap(maps: np.ndarray, masks: np.ndarray) -> dict[str, float]:
    """Return the mean IoU of the mask and the heat above a share of its maximum.

    ``iou`` cuts at half; ``iou_best`` at the tenth that does best on these very images
    (``iou_best_threshold``), so it flatters. Maps are scaled bilinearly to the masks.

    Args:
        maps: ``[N,h,w]``.
        masks: ``[N,S,S]``, none empty.
    """
    found = np.zeros((len(THRESHOLDS), len(maps)))
    for number, (heat, mask) in enumerate(zip(maps, masks, strict=True)):
        large = resize_map(heat, len(mask))
        hot = large / max(float(large.max()), 1e-12) >= THRESHOLDS[:, None, None]
        inside = mask > 0
        found[:, number] = (hot & inside).sum((1, 2)) / (hot | inside).sum((1, 2))
    means = found.mean(axis=1)
    best = int(means.argmax())
    return {
        "iou": float(means[np.isclose(THRESHOLDS, HALF)][0]),
        "iou_best": float(means[best]),
        "iou_best_threshold": float(THRESHOLDS[best]),
    }


def by_family(hits: np.ndarray, families: np.ndarray) -> dict[str, Any]:
    """Return the share of ``hits`` ``[N]`` in each family that ``families`` ``[N]`` names."""
    return {
        str(name): {
            "n": int((families == name).sum()),
            **share_with_interval("pointing_game", hits[families == name]),
        }
        for name in np.unique(families)
        if name != ""
    }


def heat_figures(
    maps: np.ndarray, masks: np.ndarray, families: np.ndarray, seed: int
) -> Mapping[str, Any]:
    """Return the share of blank maps and, where at least two masks hold a truth, how they fit it.

    Maps of a single cell show no place that could fit: ``one_cell`` says so instead.

    Args:
        maps: ``[N,h,w]``; blank is a map with no evidence for the prediction anywhere.
        masks: ``[N,S,S]``, empty where nothing is known.
        families: what kind of truth each mask holds ``[N]``, "" where unknown.
        seed: of the bootstrap.
    """
    figures: dict[str, Any] = {
        "blank_fraction": float((maps.max(axis=(1, 2)) <= 0).mean()),
        "n": len(maps),
    }
    if not shows_place(maps):
        return figures | {"one_cell": True}
    known = masks.any(axis=(1, 2))
    if known.sum() < 2:
        return figures
    truth = maps[known], masks[known]
    return {
        **figures,
        **pointing_game(*truth, seed, families[known]),
        **energy(*truth, seed),
        **overlap(*truth),
    }


def _others(of: np.ndarray) -> np.ndarray:
    """Return, for each mask of ``[mask, map]``, the mean over the maps of all other images."""
    return np.asarray((of.sum(axis=1) - np.diag(of)) / (len(of) - 1))


def _over(
    name: str, own: np.ndarray, controls: Mapping[str, np.ndarray], seed: int
) -> dict[str, Any]:
    """Return each control's mean and the paired difference to it, with its interval."""
    found: dict[str, Any] = {}
    for control, values in controls.items():
        found[f"{name}_{control}"] = float(values.mean())
        found[f"{name}_over_{control}"] = paired_difference(own, values, seed, name, control)
    return found
