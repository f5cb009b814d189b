"""The pointing game: does a heat map's maximum hit the region that is known to matter?

Zhang et al., Top-down Neural Attention by Excitation Backprop (IJCV 2018): a hit is a maximum
within 15 pixels of the region at 224 pixels. Every figure stands beside controls that know nothing
of the image at hand.
"""

from typing import Any

import numpy as np
from scipy.ndimage import distance_transform_edt

from stages.common.statistics import bootstrap_mean, share_with_interval

TOLERANCE = 15 / 224


def peaks(maps: np.ndarray, size: int) -> np.ndarray:
    """Return row and column ``[N,2]`` of the centre of each map's largest cell, in pixels.

    Args:
        maps: ``[N,h,w]``.
        size: side of the image in pixels.
    """
    height, width = maps.shape[1:]
    row, column = np.divmod(maps.reshape(len(maps), -1).argmax(axis=1), width)
    centres = np.stack([(row + 0.5) * size / height, (column + 0.5) * size / width], axis=1)
    return np.asarray(np.floor(centres).astype(int))


def targets(masks: np.ndarray) -> np.ndarray:
    """Return, bool ``[N,S,S]``, the pixels within tolerance of masks ``[N,S,S]``."""
    tolerance = TOLERANCE * masks.shape[-1]
    return np.stack([distance_transform_edt(mask == 0) <= tolerance for mask in masks])


def pointing_game(maps: np.ndarray, masks: np.ndarray, seed: int) -> dict[str, Any]:
    """Return the hit rate of ``maps`` and of its controls, with 95 % intervals of the differences.

    Controls: ``uniform``, a random pixel (in expectation); ``best_fixed_point``, the one pixel
    that hits most of these very masks; ``other_image``, the maximum of another image's map
    (averaged over all others).

    Args:
        maps: ``[N,h,w]``, N at least 2.
        masks: ``[N,S,S]``, none empty.
        seed: of the bootstrap, paired by image.
    """
    n = len(maps)
    target = targets(masks)
    row, column = peaks(maps, masks.shape[-1]).T
    hit_of = target[:, row, column].astype(float)  # [mask, map]
    hits = np.diag(hit_of)
    best = np.unravel_index(target.mean(axis=0).argmax(), target.shape[1:])
    controls = {
        "uniform": target.mean(axis=(1, 2)),
        "best_fixed_point": target[:, best[0], best[1]].astype(float),
        "other_image": (hit_of.sum(axis=1) - hits) / (n - 1),
    }
    metrics: dict[str, Any] = {
        **share_with_interval("pointing_game", hits),
        "pointing_game_n": n,
    }
    for name, control in controls.items():
        low, high = bootstrap_mean(hits - control, seed, "pointing game", name)
        metrics[f"pointing_game_{name}"] = control.mean()
        metrics[f"pointing_game_over_{name}"] = {
            "difference": (hits - control).mean(),
            "low": low,
            "high": high,
        }
    return metrics


def heat_figures(maps: np.ndarray, masks: np.ndarray, seed: int) -> dict[str, Any]:
    """Return the share of blank maps and, where at least two masks hold a truth, the pointing game.

    Args:
        maps: ``[N,h,w]``; blank is a map with no evidence for the prediction anywhere.
        masks: ``[N,S,S]``, empty where nothing is known.
        seed: of the bootstrap.
    """
    figures = {"blank_fraction": float((maps.max(axis=(1, 2)) <= 0).mean()), "n": len(maps)}
    known = masks.any(axis=(1, 2))
    if known.sum() < 2:
        return figures
    return figures | pointing_game(maps[known], masks[known], seed)
