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
from scipy.ndimage import uniform_filter

from stages.common.backbones import ARCHITECTURES, Network, create, load_pretrained, normalise

LEVELS, TAPS = 2, 4
"""Residuals are cut off at this many steps of quantisation; this many in a row are counted."""

LAGS, RINGS = 5, 16
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


def correlations(luma: np.ndarray, half: np.ndarray) -> np.ndarray:
    """Return how the finest detail hangs together: a few numbers with a plain meaning each.

    Autocorrelation of the residual (luma minus its 3 by 3 mean) up to 4 pixels, its kurtosis (of
    values and of local energy), the sizes of differences of order 1 to 3 relative to each other,
    log shares of power in rings of the spectrum, and correlations of the residuals of red, green
    and blue.

    Args:
        luma: ``[H,W]``.
        half: RGB ``[H/2,W/2,3]``.
    """
    residual = luma - uniform_filter(luma, 3)
    residual = residual[1:-1, 1:-1] - residual[1:-1, 1:-1].mean()
    variance = (residual**2).mean() + 1e-6
    height, width = residual.shape
    lags = [
        (residual[dy:, dx:] * residual[: height - dy, : width - dx]).mean() / variance
        for dy in range(LAGS)
        for dx in range(LAGS)
        if dy or dx
    ]
    peaked = np.log((residual**4).mean() / variance**2 + 1e-6)
    energy = uniform_filter(residual**2, 9)
    uneven = np.log(energy.std() / variance + 1e-6)
    sizes = np.log(
        [np.abs(np.diff(luma, n=n, axis=a)).mean() + 1e-3 for n in (1, 2, 3) for a in (0, 1)]
    )
    ratios = np.diff(sizes.reshape(3, 2).mean(axis=1))
    window = np.outer(np.hanning(luma.shape[0]), np.hanning(luma.shape[1]))
    power = np.abs(np.fft.rfft2((luma - luma.mean()) * window)) ** 2
    radius = np.hypot(
        np.fft.fftfreq(luma.shape[0])[:, None], np.fft.rfftfreq(luma.shape[1])[None, :]
    )
    ring = np.minimum((radius * 2 * RINGS).astype(int), RINGS)
    total = np.bincount(ring.ravel(), power.ravel(), RINGS + 1)[1:RINGS]
    shares = np.log(total / (total.sum() + 1e-9) + 1e-9)
    detail = half - uniform_filter(half, (3, 3, 1))
    spread = (detail**2).mean(axis=(0, 1)) + 1e-6
    between = [
        (detail[..., i] * detail[..., j]).mean() / np.sqrt(spread[i] * spread[j])
        for i, j in ((0, 1), (0, 2), (1, 2))
    ]
    return np.concatenate([lags, [peaked, uneven], ratios, shares, between])


def residuals(view: np.ndarray) -> dict[str, np.ndarray]:
    """Describe bytes ``[H,W,3]`` (RGB) by every kind of residual statistics, by name."""
    rgb = view.astype(np.float64)
    luma = rgb @ np.array([0.299, 0.587, 0.114])
    height, width = (side // 2 * 2 for side in luma.shape)
    half = rgb[:height, :width].reshape(height // 2, 2, width // 2, 2, 3).mean(axis=(1, 3))
    half_luma = half @ np.array([0.299, 0.587, 0.114])
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
