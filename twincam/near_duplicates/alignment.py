"""Decide whether two thumbnails show the same picture, as they are or after alignment."""

import numpy as np
from PIL import Image
from scipy.fft import dctn, idctn

MIN_CORRELATION = 0.96
"""Minimum correlation of the detail of near duplicates. Copies saved as JPEG 50, at half size or
brightened reach at least 0.97; different X-rays, forms or digits of one layout stay below."""

WINDOW_CORRELATION, WINDOW_SHARE = 0.98, 0.75
"""An edited copy has a correlation of at least the first in at least this share of the windows that
are not blank."""

THUMBNAIL, DETAIL, WINDOW = 128, 64, 8
"""Sides in pixels: of the thumbnails that are aligned, of the detail that is compared, and of the
windows of that detail."""

INNER = (slice(THUMBNAIL // 12, -(THUMBNAIL // 12)),) * 2
"""The part that two aligned thumbnails share, even if one is a crop of the other."""


def thumbnail(image: Image.Image) -> np.ndarray:
    """Return ``image`` squashed to uint8 [128, 128], grey."""
    side = (THUMBNAIL, THUMBNAIL)
    return np.asarray(image.convert("L").resize(side, Image.Resampling.LANCZOS, reducing_gap=3.0))


def detail(grey: np.ndarray) -> np.ndarray:
    """Return what distinguishes an image from others of its layout, as a unit vector [4096].

    The amplitudes of natural images fall as 1 / frequency; weighting by frequency gives all
    frequencies equal influence.

    Args:
        grey: [S, S].
    """
    return _unit(_spectrum(grey))


FREQUENCY = np.hypot(*np.mgrid[:DETAIL, :DETAIL])


def _spectrum(grey: np.ndarray) -> np.ndarray:
    return np.asarray(dctn(_resized(grey, DETAIL), norm="ortho") * FREQUENCY)


def _unit(spectrum: np.ndarray) -> np.ndarray:
    pixels = idctn(spectrum, norm="ortho").ravel()
    length = np.linalg.norm(pixels)
    return np.asarray(pixels / length if length else pixels)


def same_picture(one: np.ndarray, other: np.ndarray, lenient: bool) -> bool:
    """Return whether two thumbnails agree, as they are or, except for a margin, after alignment.

    Each is aligned to the other, since a crop lies within its original but not vice versa.

    Args:
        one: uint8 [128, 128].
        other: the same.
        lenient: let them differ in an edited part and in sharpness.
    """
    if lenient and _agree(one, other, lenient):
        return True
    return any(
        _agree(fixed[INNER], _warped(moving.astype(np.float32), move)[INNER], lenient)
        for fixed, moving in ((one, other), (other, one))
        for move in [_alignment(fixed, moving)]
    )


def _agree(one: np.ndarray, other: np.ndarray, lenient: bool) -> bool:
    """Return whether two grey images agree as a whole.

    If ``lenient``, close agreement in most windows suffices, or agreement below the frequencies
    that one of them lacks because it was blurred or enlarged.
    """
    first, second = _spectrum(one), _spectrum(other)
    if _unit(first) @ _unit(second) >= MIN_CORRELATION:
        return True
    if not lenient:
        return False
    band = _common_band(first, second)
    below = _unit(first * band) @ _unit(second * band)
    return bool(below >= MIN_CORRELATION or _mostly_same(_unit(first), _unit(second)))


def _common_band(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return, bool [64, 64], the frequencies below those that one of the spectra lacks."""
    bands = (FREQUENCY // 4).astype(int)
    powers = [np.bincount(bands.ravel(), (spectrum**2).ravel()) for spectrum in (one, other)]
    lacking = np.minimum(*powers) < MIN_POWER_RATIO * np.maximum(*powers)
    last = max(int(np.flatnonzero(~lacking).max(initial=0)), DETAIL // 16)
    return np.asarray(bands <= last)


MIN_POWER_RATIO = 0.3
"""A spectrum lacks a frequency band if it has less than this share of the other's power in it."""


def _mostly_same(one: np.ndarray, other: np.ndarray) -> bool:
    first, second = _windows(one), _windows(other)
    energy, other_energy = (first**2).sum(axis=1), (second**2).sum(axis=1)
    shown = np.maximum(energy, other_energy)
    structured = shown >= shown.mean() / 10
    scale = np.sqrt(energy * other_energy)
    agreement = (first * second).sum(axis=1) / np.maximum(scale, 1e-12)
    return bool((agreement[structured] >= WINDOW_CORRELATION).mean() >= WINDOW_SHARE)


def _windows(vector: np.ndarray) -> np.ndarray:
    count = DETAIL // WINDOW
    cells = vector.reshape(count, WINDOW, count, WINDOW).swapaxes(1, 2)
    return cells.reshape(count**2, WINDOW**2)


def _alignment(fixed: np.ndarray, moving: np.ndarray) -> np.ndarray:
    """Return the affine transform that aligns ``moving`` with ``fixed``.

    Lucas and Kanade (An Iterative Image Registration Technique, 1981), from coarse to fine.

    Returns:
        float [2, 3]: the displacement of x and y as a linear function of x, y and 1, in units of
        the side and relative to the centre; each entry is clipped to ±0.15.
    """
    move = np.zeros((2, 3))
    for side in (32, 64, THUMBNAIL):
        target, source = _standardised(_resized(fixed, side)), _resized(moving, side)
        inner = (slice(side // 8, -(side // 8)),) * 2
        y, x = (np.mgrid[:side, :side] + 0.5) / side - 0.5
        for _ in range(6):
            current = _standardised(_warped(source, move))
            down, right = np.gradient(current)
            slopes = side * np.stack(
                [right * x, right * y, right, down * x, down * y, down], axis=-1
            )
            design = slopes[inner].reshape(-1, 6)
            step = np.linalg.lstsq(
                design.T @ design, design.T @ (target - current)[inner].ravel(), rcond=None
            )[0]
            move = np.clip(move + step.reshape(2, 3), -0.15, 0.15)
            if np.abs(step).max() < 1e-4:
                break
    return move


def _warped(grey: np.ndarray, move: np.ndarray) -> np.ndarray:
    side = len(grey)
    matrix = np.eye(2) + move[:, :2]
    start = side / 2 - matrix @ np.full(2, side / 2) + move[:, 2] * side
    rows = (matrix[0, 0], matrix[0, 1], start[0], matrix[1, 0], matrix[1, 1], start[1])
    image = Image.fromarray(grey)
    return np.asarray(
        image.transform(image.size, Image.Transform.AFFINE, rows, Image.Resampling.BICUBIC)
    )


def _resized(grey: np.ndarray, side: int) -> np.ndarray:
    image = Image.fromarray(grey.astype(np.float32))
    return np.asarray(image.resize((side, side), Image.Resampling.LANCZOS))


def _standardised(grey: np.ndarray) -> np.ndarray:
    centred = grey - grey.mean()
    deviation = centred.std()
    return centred / deviation if deviation else centred
