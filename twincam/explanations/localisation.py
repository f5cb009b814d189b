"""Does a map's heat lie inside a mask? Metrics, and their values for image-independent controls.

Pointing game: Zhang et al., Top-down Neural Attention by Excitation Backprop (IJCV 2018): a hit is
a maximum within 15 pixels of the region at 224 pixels. Energy: Wang et al., Score-CAM (CVPRW 2020):
the share of positive heat inside. Every figure is reported with controls that do not depend on the
image at hand.
"""

from typing import Any

import numpy as np
from scipy.ndimage import distance_transform_edt

from twincam.explanations.maps import cells_of_pixels, centred_map, resize_map, shows_place
from twincam.files.metrics import Estimate
from twincam.statistics.estimates import beside, mean, share
from twincam.statistics.ranking import average_precision

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


def cells_near(masks: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return, bool ``[N,h,w]``, the cells that hold any pixel within tolerance of ``masks``."""
    return cells_of_pixels(targets(masks), height, width)


def pointing_hits(maps: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return, bool ``[mask,map]``, whether the peak of each map ``[N,h,w]`` is a hit in each mask.

    Args:
        maps: ``[N,h,w]``.
        target: of `targets`, ``[M,S,S]``.
    """
    row, column = peaks(maps, target.shape[-1]).T
    return np.asarray(target[:, row, column])


def energy_inside(maps: np.ndarray, covered: np.ndarray) -> np.ndarray:
    """Return, 0 to 1 ``[mask,map]``, the share of each map's positive heat inside each mask.

    A cell counts by the share of it that the mask fills. A map without positive heat has none
    inside.

    Args:
        maps: ``[N,h,w]``.
        covered: of `coverage`, ``[M,h,w]``.
    """
    heat = np.maximum(maps, 0).reshape(len(maps), -1)
    shares = heat / np.maximum(heat.sum(axis=1, keepdims=True), 1e-12)
    return np.asarray(covered.reshape(len(covered), -1) @ shares.T)


def of_other_images(values: np.ndarray) -> np.ndarray:
    """Return, ``[N]``, for each mask of ``[mask,map]`` the mean over the maps of other images.

    This control ignores the image but reflects where masks usually lie; N at least 2.
    """
    return np.asarray((values.sum(axis=1) - np.diag(values)) / (len(values) - 1))


def pointing_game(maps: np.ndarray, masks: np.ndarray, seed: int) -> dict[str, Estimate]:
    """Return the hit rate of ``maps`` and of its controls, as `beside` does.

    Controls: ``uniform``, a random pixel (in expectation); ``centre``, the middle of the image;
    ``best_fixed_point``, the one pixel that hits most of these same masks; ``other_image``, the
    maximum of another image's map (averaged over all others).

    Args:
        maps: ``[N,h,w]``, N at least 2.
        masks: ``[N,S,S]``, none empty.
        seed: of the bootstrap, paired by image.
    """
    target = targets(masks)
    hits = pointing_hits(maps, target)
    middle = masks.shape[-1] // 2
    best = np.unravel_index(target.mean(axis=0).argmax(), target.shape[1:])
    controls = {
        "uniform": target.mean(axis=(1, 2)),
        "centre": target[:, middle, middle],
        "best_fixed_point": target[:, best[0], best[1]],
        "other_image": of_other_images(hits),
    }
    return beside("pointing_game", np.diag(hits), controls, seed)


def by_family(hits: np.ndarray, families: np.ndarray) -> dict[str, Any]:
    """Return the share of ``hits`` ``[N]`` in each family that ``families`` ``[N]`` names."""
    return {
        str(name): {
            "n": int((families == name).sum()),
            "pointing_game": share(hits[families == name]),
        }
        for name in np.unique(families)
        if name != ""
    }


def energy(maps: np.ndarray, masks: np.ndarray, seed: int) -> dict[str, Estimate]:
    """Return the share of positive heat inside the mask, raw and relative to the best possible.

    ``energy_inside`` is the mean of `energy_inside`; a uniform map has the mask's share of the
    area. ``energy_in_mask`` divides each share by the largest that maps of this resolution can
    reach, with all heat in the cell that the mask fills most. Both are given with controls, as by
    `beside`.

    Args:
        maps: ``[N,h,w]``, N at least 2.
        masks: ``[N,S,S]``, none empty.
        seed: of the bootstrap, paired by image.
    """
    covered = coverage(masks, *maps.shape[1:])
    inside = energy_inside(maps, covered)
    middle = centred_map(*maps.shape[1:])
    controls = {
        "uniform": covered.mean(axis=(1, 2)),
        "centre": energy_inside(middle[None], covered)[:, 0],
        "other_image": of_other_images(inside),
    }
    most = covered.max(axis=(1, 2))
    scaled = {name: values / most for name, values in controls.items()}
    return {
        **beside("energy_inside", np.diag(inside), controls, seed),
        **beside("energy_in_mask", np.diag(inside) / most, scaled, seed),
    }


def overlap(maps: np.ndarray, masks: np.ndarray) -> dict[str, float]:
    """Return the mean IoU of the mask and the heat above a share of its maximum.

    The threshold of ``iou`` is half; that of ``iou_best`` (``iou_best_threshold``) is the multiple
    of a tenth that is best on these same images, so ``iou_best`` is optimistic. Maps are scaled
    bilinearly to the masks.

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


def pixel_precision(maps: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Return the average precision ``[N]`` with which heat ranks each mask's pixels first.

    Chance is the mask's share of the area. Maps are scaled bilinearly to the masks.

    Args:
        maps: ``[N,h,w]``.
        masks: ``[N,S,S]``, none empty.
    """
    return np.array(
        [
            average_precision((mask > 0).ravel(), resize_map(heat, len(mask)).ravel())
            for heat, mask in zip(maps, masks, strict=True)
        ]
    )


def localisation(
    maps: np.ndarray, masks: np.ndarray, families: np.ndarray, seed: int
) -> dict[str, Any]:
    """Return the share of blank maps and, with at least two masks, how well the maps match them.

    Maps of a single cell cannot localise anything: ``one_cell`` reports that instead.

    Args:
        maps: ``[N,h,w]``; blank is a map with no evidence for the prediction anywhere.
        masks: ``[N,S,S]``, empty where none is given; those images only count towards the share of
            blank maps.
        families: what kind of defect each mask shows ``[N]``, "" where unknown; if any is named,
            ``by_family`` holds the hit rate of each.
        seed: of the bootstrap.
    """
    figures: dict[str, Any] = {
        "blank_fraction": float((maps.max(axis=(1, 2)) <= 0).mean()),
        "n": len(maps),
    }
    if not shows_place(maps):
        return figures | {"one_cell": True}
    masked = masks.any(axis=(1, 2))
    if masked.sum() < 2:
        return figures
    pair = maps[masked], masks[masked]
    figures |= {"pointing_game_n": int(masked.sum()), **pointing_game(*pair, seed)}
    hits = np.diag(pointing_hits(pair[0], targets(pair[1])))
    if kinds := by_family(hits, families[masked]):
        figures["by_family"] = kinds
    precision = mean(pixel_precision(*pair), seed, "pixel precision")
    return {**figures, **energy(*pair, seed), **overlap(*pair), "pixel_precision": precision}
