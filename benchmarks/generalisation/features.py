"""What a view is described by: statistics of noise residuals, and a frozen network's activations.

Residuals after Fridrich & Kodovsky (Rich Models for Steganalysis, TIFS 2012): differences of
neighbouring pixels, quantised, and how often each run of four values occurs. They are divided by
their mean size first, so that sharpness as such says nothing.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
import torch

from stages.common.backbones import ARCHITECTURES, Network, create, load_pretrained, normalise
from stages.traces.detail import correlations, halved, luma_of

LEVELS, TAPS = 2, 4
"""Residuals are cut off at this many steps of quantisation; this many in a row are counted."""

ARCH = "efficientnet_lite0"


@cache
def classes_of_runs(levels: int = LEVELS, taps: int = TAPS) -> np.ndarray:
    """Return the class of each run: a run, its reverse and its negative are one.

    Returns:
        int ``[(2·levels+1)^taps]``: classes numbered from 0.
    """
    base = 2 * levels + 1
    runs = np.stack(np.meshgrid(*[np.arange(base)] * taps, indexing="ij"), -1).reshape(-1, taps)
    weights = base ** np.arange(taps)[::-1]
    variants = [runs, runs[:, ::-1], base - 1 - runs, base - 1 - runs[:, ::-1]]
    smallest = np.min([variant @ weights for variant in variants], axis=0)
    return np.unique(smallest, return_inverse=True)[1].ravel()


def runs_of_residuals(channel: np.ndarray, order: int, step: float = 1.0) -> np.ndarray:
    """Return the square roots of the shares of each class of runs in the residual of ``order``.

    Args:
        channel: ``[H,W]``.
        order: of the difference, taken along rows and along columns.
        step: quantisation, in mean sizes of the residual.

    Returns:
        ``[C]``, of unit length: the root makes sampling noise about equal everywhere.
    """
    lookup = classes_of_runs()
    counts = np.zeros(lookup.max() + 1)
    for lines in (channel, channel.T):
        residual = np.diff(lines, n=order, axis=1)
        size = np.abs(residual).mean() + 1e-6
        values = np.rint(residual / (step * size)).clip(-LEVELS, LEVELS).astype(np.int64) + LEVELS
        code = np.zeros_like(values[:, : values.shape[1] - TAPS + 1])
        for tap in range(TAPS):
            code = code * (2 * LEVELS + 1) + values[:, tap : tap + code.shape[1]]
        counts += np.bincount(lookup[code.ravel()], minlength=len(counts))
    return np.sqrt(counts / counts.sum())


def joint_channels(half: np.ndarray) -> np.ndarray:
    """Return root shares of joint values of the second differences of red, green and blue ``[63]``.

    Args:
        half: ``[H,W,3]``.
    """
    counts = np.zeros(125)
    for lines in (half, half.transpose(1, 0, 2)):
        residual = np.diff(lines, n=2, axis=1)
        size = np.abs(residual).mean(axis=(0, 1)) + 1e-6
        values = np.rint(residual / size).clip(-2, 2).astype(np.int64) + 2
        counts += np.bincount((values @ np.array([25, 5, 1])).ravel(), minlength=125)
    folded = (counts + counts[::-1])[:63]
    return np.sqrt(folded / folded.sum())


def residuals(view: np.ndarray) -> dict[str, np.ndarray]:
    """Describe bytes ``[H,W,3]`` (RGB) by every kind of residual statistics, by name."""
    rgb = view.astype(np.float64)
    luma, half = luma_of(rgb), halved(rgb)
    half_luma = luma_of(half)
    chroma = [half[..., 2] - half_luma, half[..., 0] - half_luma]
    return {
        "second": runs_of_residuals(luma, 2),
        "orders": np.concatenate([runs_of_residuals(luma, order) for order in (1, 3)]),
        "scales": np.concatenate([runs_of_residuals(luma, 2, step) for step in (0.5, 2.0)]),
        "chroma": np.concatenate([runs_of_residuals(channel, 2) for channel in chroma]),
        "channels": joint_channels(half),
        "correlations": correlations(luma, half),
        "sharpness": sharpness(luma),
    }


def sharpness(luma: np.ndarray) -> np.ndarray:
    """Return what a threshold may depend on ``[2]``: log sizes of first and second differences."""
    first, second = (
        np.mean([np.abs(np.diff(luma, n=n, axis=axis)).mean() for axis in (0, 1)]) for n in (1, 2)
    )
    return np.log([first + 1e-3, second + 1e-3])


RESIDUALS = ("second", "orders", "scales", "chroma", "channels", "correlations")
BLOCKS = ("block 0", "block 1", "block 2", "block 3")
FEATURES: Mapping[str, tuple[str, ...]] = {
    "second": ("second",),
    "orders": ("second", "orders"),
    "scales": ("second", "scales"),
    "chroma": ("chroma",),
    "channels": ("channels",),
    "correlations": ("correlations",),
    "residuals": RESIDUALS,
    **{name: (name,) for name in BLOCKS},
    "blocks": BLOCKS,
}
"""Every set of features that is tried, with the parts it is put together from."""


@cache
def _pretrained() -> Network:
    network = create(ARCH, ("photograph", "fake"), ARCHITECTURES[ARCH].normalisation)
    load_pretrained(network, "imagenet", Path())
    network.module.eval()
    return network


def network_features(views: np.ndarray) -> dict[str, np.ndarray]:
    """Describe bytes ``[N,H,W,3]`` by the default network as ImageNet left it.

    Means and standard deviations over cells after each of the first blocks, by name ``[N,2C]``.
    """
    network, found = _pretrained(), {}
    with torch.inference_mode():
        x = normalise(network, torch.from_numpy(views))
        for name, block in zip(BLOCKS, network.blocks, strict=False):
            x = block(x)
            pooled = torch.cat([x.mean(dim=(2, 3)), x.std(dim=(2, 3))], dim=1)
            found[name] = pooled.numpy()
    return found
