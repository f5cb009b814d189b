"""Near duplicates: perceptual hashes propose pairs of images, their pixels confirm them.

A hash of 64 bits says little where all images share one layout (X-rays, documents, digits), so a
match counts only if the fine detail of both images agrees, too.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from scipy.fft import dctn, idctn

from stages.common.images import BadImageError, decode, in_order

FLAT = 2**64 - 1
"""The hash of an image without structure."""

ALIKE = 0.96
"""Least correlation of the detail of near duplicates. Copies saved as JPEG 50, at half size or
brightened reach 0.97 and more; different X-rays, forms or digits of one layout stay below."""

SAME, MOSTLY = 0.98, 0.75
"""An edited copy agrees by `SAME` in a share `MOSTLY` of the windows that show anything."""

RARE = 8
"""A match of hashes is a reason to look for a crop or an edited copy only among images that match
so few others."""

THUMBNAIL, DETAIL, WINDOW = 128, 64, 8
"""Sides in pixels of what is aligned, of what is compared, and of the windows in that."""


def perceptual_hash(image: Image.Image) -> int:
    """Return 64 bits that change little when an image is resized, re-encoded or brightened.

    The classic DCT hash: 32×32 grey (Lanczos), the 8×8 lowest frequencies including the mean, each
    against their median. At most 32 bits are set. `FLAT` stands for an image without structure,
    of which such a hash would be noise.
    """
    small = image.convert("L").resize((32, 32), Image.Resampling.LANCZOS, reducing_gap=3.0)
    pixels = np.asarray(small, dtype=np.float64)
    if pixels.std() < 1:
        return FLAT
    lowest = dctn(pixels, norm="ortho")[:8, :8].round(3)
    return int.from_bytes(np.packbits(lowest > np.median(lowest)).tobytes(), "big")


def bits_apart(hashes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return how many bits differ, uint8 of the shape both broadcast to; 255 beside a `FLAT`."""
    return np.where(
        (hashes == FLAT) | (others == FLAT), np.uint8(255), np.bitwise_count(hashes ^ others)
    )


def near_pairs(
    hashes: np.ndarray, distance: int, since: int = 0, rows: int = 256
) -> Iterator[np.ndarray]:
    """Yield the pairs i < j, j at least ``since``, of hashes within ``distance`` bits.

    Args:
        hashes: uint64 [N]; `FLAT` is near nothing.
        distance: -1..64.
        since: 0..N; what comes before is not compared with itself.
        rows: compared with all others at a time, which bounds the memory.

    Yields:
        int [M, 2] for each block of rows.
    """
    for start in range(0, len(hashes) if distance >= 0 else 0, rows):
        later = max(start, since)
        block = hashes[start : start + rows, None]
        first, second = np.nonzero(bits_apart(block, hashes[None, later:]) <= distance)
        pairs = np.stack([first + start, second + later], axis=1)
        yield pairs[pairs[:, 0] < pairs[:, 1]]


def near_duplicates(
    hashes: np.ndarray,
    distance: int,
    read: Callable[[np.ndarray], Iterable[Image.Image]],
    since: int = 0,
) -> np.ndarray:
    """Return the pairs of `near_pairs` that show the same picture.

    They do if their `detail` correlates by at least `ALIKE`. Images that match at most `RARE`
    hashes are also aligned to each other, so that crops are found, and may differ in a part, so
    that edited copies are.

    Args:
        hashes: uint64 [N], of `perceptual_hash`.
        distance: -1..64.
        read: gives the images, of any size, at an array of ascending positions.
        since: as for `near_pairs`.

    Returns:
        int [M, 2], i < j.
    """
    matches = np.zeros(len(hashes), np.int64)
    for pairs in near_pairs(hashes, distance, since):
        matches += np.bincount(pairs.ravel(), minlength=len(hashes))
    rows = np.flatnonzero(matches)
    details = np.empty((len(rows), DETAIL**2), np.float32)
    thumbnails = {}
    for at, (row, image) in enumerate(zip(rows, read(rows), strict=True)):
        grey = thumbnail(image)
        details[at] = detail(grey)
        if matches[row] <= RARE:
            thumbnails[row] = grey
    confirmed = [np.zeros((0, 2), int)]
    for pairs in near_pairs(hashes, distance, since):
        same = _correlations(details, np.searchsorted(rows, pairs)) >= ALIKE
        for maybe in np.flatnonzero(~same & (matches[pairs] <= RARE).all(axis=1)):
            one, other = pairs[maybe]
            same[maybe] = same_picture(thumbnails[one], thumbnails[other])
        confirmed.append(pairs[same])
    return np.concatenate(confirmed)


def _correlations(details: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Return the products of the rows of ``details`` that ``pairs`` name, as one matrix product."""
    first, second = (np.flatnonzero(np.bincount(column)) for column in pairs.T)
    products = details[first] @ details[second].T
    return products[np.searchsorted(first, pairs[:, 0]), np.searchsorted(second, pairs[:, 1])]


def thumbnail(image: Image.Image) -> np.ndarray:
    """Return ``image`` squashed to float32 [128, 128], grey from 0 to 255."""
    side = (THUMBNAIL, THUMBNAIL)
    small = image.convert("L").resize(side, Image.Resampling.LANCZOS, reducing_gap=3.0)
    return np.asarray(small, np.float32)


def detail(grey: np.ndarray) -> np.ndarray:
    """Return what distinguishes an image from others of its layout, as a unit vector [4096].

    Natural images have the amplitude 1 / frequency; weighting by frequency lets all count alike.

    Args:
        grey: float32 [S, S].
    """
    frequency = np.hypot(*np.mgrid[:DETAIL, :DETAIL])
    spectrum = dctn(_resized(grey, DETAIL), norm="ortho") * frequency
    pixels = idctn(spectrum, norm="ortho").ravel()
    length = np.linalg.norm(pixels)
    return pixels / length if length else pixels


def same_picture(one: np.ndarray, other: np.ndarray) -> bool:
    """Tell whether two thumbnails agree, as they are or aligned to each other.

    Each is aligned to the other: a crop lies in its original, but not the other way round.
    """
    return _agree(detail(one), detail(other)) or any(
        _agree(detail(fixed), detail(_warped(moving, _alignment(fixed, moving))))
        for fixed, moving in ((one, other), (other, one))
    )


def _agree(one: np.ndarray, other: np.ndarray) -> bool:
    """Tell whether two `detail` vectors agree as a whole, or exactly in most windows."""
    first, second = _windows(one), _windows(other)
    energy, other_energy = (first**2).sum(axis=1), (second**2).sum(axis=1)
    shown = np.maximum(energy, other_energy)
    structured = shown >= shown.mean() / 10
    scale = np.sqrt(energy * other_energy)
    agreement = (first * second).sum(axis=1) / np.maximum(scale, 1e-12)
    most = (agreement[structured] >= SAME).mean() >= MOSTLY
    return bool(one @ other >= ALIKE or most)


def _windows(vector: np.ndarray) -> np.ndarray:
    count = DETAIL // WINDOW
    cells = vector.reshape(count, WINDOW, count, WINDOW).swapaxes(1, 2)
    return cells.reshape(count**2, WINDOW**2)


def _alignment(fixed: np.ndarray, moving: np.ndarray) -> np.ndarray:
    """Find how far ``moving`` must be stretched and shifted to lie on ``fixed``.

    Lucas and Kanade (An Iterative Image Registration Technique, 1981) from coarse to fine.

    Returns:
        Stretch and shift in x and in y, as shares of the side, each at most 0.15.
    """
    move = np.zeros(4)
    for side in (32, 64, THUMBNAIL):
        target, source = _standardised(_resized(fixed, side)), _resized(moving, side)
        inner = (slice(side // 8, -(side // 8)),) * 2
        y, x = (np.mgrid[:side, :side] + 0.5) / side - 0.5
        for _ in range(6):
            current = _standardised(_warped(source, move))
            down, right = np.gradient(current)
            slopes = side * np.stack([right * x, right, down * y, down], axis=-1)
            step = np.linalg.lstsq(
                slopes[inner].reshape(-1, 4), (target - current)[inner].ravel(), rcond=None
            )[0]
            move = np.clip(move + step, -0.15, 0.15)
    return move


def _warped(grey: np.ndarray, move: np.ndarray) -> np.ndarray:
    side = len(grey)
    stretch, shift = 1 + move[::2], move[1::2] * side
    start = side / 2 * (1 - stretch) + shift
    matrix = (stretch[0], 0, start[0], 0, stretch[1], start[1])
    image = Image.fromarray(grey)
    return np.asarray(
        image.transform(image.size, Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC)
    )


def _resized(grey: np.ndarray, side: int) -> np.ndarray:
    return np.asarray(Image.fromarray(grey).resize((side, side), Image.Resampling.LANCZOS))


def _standardised(grey: np.ndarray) -> np.ndarray:
    centred = grey - grey.mean()
    deviation = centred.std()
    return centred / deviation if deviation else centred


def read_small(path: Path) -> Image.Image:
    """Read an image of the data set at a size that suffices to compare it.

    Raises:
        BadImageError: as `decode`.
    """
    return decode(path, at_least=THUMBNAIL).image


def copies_of(
    root: Path, split: pd.DataFrame, files: list[Path], distance: int, max_pixels: int
) -> dict[Path, str]:
    """Find among ``files`` scaled, re-saved or slightly cropped copies of the data set's images.

    Args:
        root: ``data.root``.
        split: ``data/split.csv``.
        files: image files; what cannot be read is a copy of nothing.
        distance: ``split.near_duplicate_distance``; -1 finds none.
        max_pixels: larger images are not read.

    Returns:
        The path in ``split`` of an image that the file is a copy of.
    """

    def hashed(file: Path) -> int:
        try:
            return perceptual_hash(decode(file, max_pixels, at_least=THUMBNAIL).image)
        except BadImageError:
            return FLAT

    if distance < 0 or not files:
        return {}
    found = list(in_order(hashed, files, "copies"))
    hashes = np.concatenate([hash_values(split["phash"]), np.array(found, np.uint64)])
    paths = [*(root / path for path in split["path"]), *files]

    def read(rows: np.ndarray) -> Iterable[Image.Image]:
        return in_order(read_small, [paths[row] for row in rows], "copies")

    pairs = near_duplicates(hashes, distance, read, since=len(split))
    own = pairs[pairs[:, 0] < len(split)][::-1]
    return {paths[new]: split["path"].iloc[old] for old, new in own}


def hash_text(hashes: pd.Series) -> pd.Series:
    """Write hashes, uint64, as 16 hexadecimal digits."""
    return hashes.map("{:016x}".format)


def hash_values(texts: pd.Series) -> np.ndarray:
    """Read what `hash_text` wrote: uint64 [N]."""
    return np.array([int(text, 16) for text in texts], np.uint64)
