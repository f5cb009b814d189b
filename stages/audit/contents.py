"""Descriptors of an image that ignore its content: colour, spectrum, thumbnail."""

import numpy as np
from PIL import Image

BANDS, LARGEST, THUMBNAIL = 37, 1024, 16
DESCRIPTORS = ("colour", "spectrum", "thumbnail")


def describe(image: Image.Image) -> dict[str, np.ndarray]:
    """Return every descriptor of an RGB image by name."""
    return {
        "colour": colour(image),
        "spectrum": spectrum(image),
        "thumbnail": thumbnail(image),
    }


def colour(image: Image.Image) -> np.ndarray:
    """Return mean, standard deviation and skewness of red, green, blue and saturation ``[12]``."""
    pixels = np.asarray(image, np.float64).reshape(-1, 3) / 255
    peak = pixels.max(axis=1)
    saturation = np.where(peak > 0, 1 - pixels.min(axis=1) / np.maximum(peak, 1e-9), 0)
    values = np.column_stack([pixels, saturation])
    mean, deviation = values.mean(axis=0), values.std(axis=0)
    skewness = ((values - mean) ** 3).mean(axis=0) / np.maximum(deviation, 1e-6) ** 3
    return np.concatenate([mean, deviation, skewness])


def spectrum(image: Image.Image) -> np.ndarray:
    """Return the logarithm of the mean power of luma in rings of equal width ``[37]``.

    The rings go from 0 to 0.5 cycles a pixel at the original resolution, so that traces of
    resampling keep their frequency. Images are cropped centrally to at most 1024 pixels a side and
    weighted by a Hann window.
    """
    luma = np.asarray(image.convert("L"), np.float64)
    height, width = (min(side, LARGEST) for side in luma.shape)
    top, left = (luma.shape[0] - height) // 2, (luma.shape[1] - width) // 2
    luma = luma[top : top + height, left : left + width]
    window = np.outer(np.hanning(height + 2)[1:-1], np.hanning(width + 2)[1:-1])
    power = np.abs(np.fft.rfft2((luma - luma.mean()) * window)) ** 2 / (window**2).sum()
    radius = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :])
    ring = np.minimum((radius * 2 * BANDS).astype(int), BANDS)
    total = np.bincount(ring.ravel(), power.ravel(), BANDS + 1)[:BANDS]
    count = np.bincount(ring.ravel(), minlength=BANDS + 1)[:BANDS]
    return np.log10(total / np.maximum(count, 1) + 1e-3)


def thumbnail(image: Image.Image) -> np.ndarray:
    """Return the whole image squashed to 16 by 16 pixels, RGB from 0 to 1 ``[768]``."""
    small = image.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX)
    return np.asarray(small, np.float64).ravel() / 255
