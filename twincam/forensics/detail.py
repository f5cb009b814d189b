"""Correlations in the finest detail of a view, which remaking changes."""

import numpy as np
from scipy.ndimage import uniform_filter

LAGS, RINGS = 5, 16


def describe(view: np.ndarray) -> np.ndarray:
    """Describe bytes ``[H,W,3]`` (RGB) by `correlations`, ``[46]``."""
    rgb = view.astype(np.float64)
    return correlations(luma_of(rgb), halved(rgb))


def luma_of(rgb: np.ndarray) -> np.ndarray:
    """Return the luma ``[H,W]`` of RGB ``[H,W,3]`` (ITU-R BT.601)."""
    return rgb @ np.array([0.299, 0.587, 0.114])


def halved(rgb: np.ndarray) -> np.ndarray:
    """Return RGB ``[H,W,3]`` at half size, by means of 2 by 2 pixels, JPEG's colour resolution."""
    height, width = (side // 2 * 2 for side in rgb.shape[:2])
    return rgb[:height, :width].reshape(height // 2, 2, width // 2, 2, 3).mean(axis=(1, 3))


def correlations(luma: np.ndarray, half: np.ndarray) -> np.ndarray:
    """Return interpretable statistics of the finest detail, ``[46]``.

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
