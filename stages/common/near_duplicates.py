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
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from stages.common.images import BadImageError, decode, in_order
from stages.common.messages import warn

FLAT = 2**64 - 1
"""The hash of an image without structure."""

ALIKE = 0.96
"""Least correlation of the detail of near duplicates. Copies saved as JPEG 50, at half size or
brightened reach 0.97 and more; different X-rays, forms or digits of one layout stay below."""

SAME, MOSTLY = 0.98, 0.75
"""An edited copy agrees by `SAME` in a share `MOSTLY` of the windows that show anything."""

RARE = 8
"""A match of hashes says much about images that match at most so many others: they may also differ
in a part, or in sharpness. So many matches of an image are aligned, the closest first."""

ALIGNMENTS = 5000
"""At most in one search: two minutes or so."""

THUMBNAIL, DETAIL, WINDOW = 128, 64, 8
"""Sides in pixels of what is aligned, of what is compared, and of the windows in that."""

INNER = (slice(THUMBNAIL // 12, -(THUMBNAIL // 12)),) * 2
"""What two aligned thumbnails both show, though neither holds all of the other."""


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
    """Return pairs of `near_pairs` that show the same picture, enough to connect all that do.

    They do if their `detail` correlates by at least `ALIKE`. Otherwise the closest `RARE` later
    matches of each image are tried by `same_picture`, until one succeeds; in a search of more than
    `ALIGNMENTS` that is given up, and said on standard error.

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
    thumbnails = np.empty((len(rows), THUMBNAIL, THUMBNAIL), np.uint8)
    for at, image in enumerate(read(rows)):
        thumbnails[at] = thumbnail(image)
        details[at] = detail(thumbnails[at])
    confirmed, left = [np.zeros((0, 2), int)], ALIGNMENTS
    for pairs in near_pairs(hashes, distance, since):
        same = _correlations(details, np.searchsorted(rows, pairs)) >= ALIKE
        confirmed.append(pairs[same])
        for one, others in _to_try(hashes, pairs, same) if left else ():
            for other in others[:left]:
                left -= 1
                first, second = thumbnails[np.searchsorted(rows, (one, other))]
                if same_picture(first, second, rare=max(matches[one], matches[other]) <= RARE):
                    confirmed.append(np.array([[one, other]]))
                    break
    if not left:
        warn(
            "near duplicates",
            f"the hashes of {len(rows)} images match others; {ALIGNMENTS} pairs were aligned, the "
            "rest only compared as they are: crops among them may be missed; lower "
            "split.near_duplicate_distance if these are different pictures of one layout",
        )
    return np.concatenate(confirmed)


def _to_try(
    hashes: np.ndarray, pairs: np.ndarray, same: np.ndarray
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield each first image of ``pairs`` without a confirmed one, and its closest others."""
    done = np.unique(pairs[same, 0])
    open_pairs = pairs[~np.isin(pairs[:, 0], done)]
    apart = bits_apart(hashes[open_pairs[:, 0]], hashes[open_pairs[:, 1]])
    ordered = open_pairs[np.lexsort((open_pairs[:, 1], apart, open_pairs[:, 0]))]
    ones, starts = np.unique(ordered[:, 0], return_index=True)
    for one, start in zip(ones, starts, strict=True):
        others = ordered[start : start + RARE]
        yield int(one), others[others[:, 0] == one, 1]


def _correlations(details: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Return the products of the rows of ``details`` that ``pairs`` name, as one matrix product."""
    first, second = (np.flatnonzero(np.bincount(column)) for column in pairs.T)
    products = details[first] @ details[second].T
    return products[np.searchsorted(first, pairs[:, 0]), np.searchsorted(second, pairs[:, 1])]


def thumbnail(image: Image.Image) -> np.ndarray:
    """Return ``image`` squashed to uint8 [128, 128], grey."""
    side = (THUMBNAIL, THUMBNAIL)
    return np.asarray(image.convert("L").resize(side, Image.Resampling.LANCZOS, reducing_gap=3.0))


def detail(grey: np.ndarray) -> np.ndarray:
    """Return what distinguishes an image from others of its layout, as a unit vector [4096].

    Natural images have the amplitude 1 / frequency; weighting by frequency lets all count alike.

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


def same_picture(one: np.ndarray, other: np.ndarray, rare: bool) -> bool:
    """Tell whether two thumbnails agree, as they are or, but for a margin, aligned to each other.

    Each is aligned to the other: a crop lies in its original, but not the other way round.

    Args:
        one: uint8 [128, 128].
        other: the same.
        rare: allow them to differ in a part and in sharpness.
    """
    if rare and _agree(one, other, rare):
        return True
    return any(
        _agree(fixed[INNER], _warped(moving.astype(np.float32), move)[INNER], rare)
        for fixed, moving in ((one, other), (other, one))
        for move in [_alignment(fixed, moving)]
    )


def _agree(one: np.ndarray, other: np.ndarray, rare: bool) -> bool:
    """Tell whether two greys agree as a whole.

    If ``rare``, exact agreement in most windows will do, or agreement below the frequencies that
    one of them lacks since it was blurred or enlarged.
    """
    first, second = _spectrum(one), _spectrum(other)
    if _unit(first) @ _unit(second) >= ALIKE:
        return True
    if not rare:
        return False
    band = _common_band(first, second)
    below = _unit(first * band) @ _unit(second * band)
    return bool(below >= ALIKE or _mostly_same(_unit(first), _unit(second)))


def _common_band(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return, bool [64, 64], the frequencies below those that one spectrum lacks altogether."""
    bands = (FREQUENCY // 4).astype(int)
    powers = [np.bincount(bands.ravel(), (spectrum**2).ravel()) for spectrum in (one, other)]
    lacking = np.minimum(*powers) < LACKING * np.maximum(*powers)
    last = max(int(np.flatnonzero(~lacking).max(initial=0)), DETAIL // 16)
    return np.asarray(bands <= last)


LACKING = 0.3
"""What has less than this share of the other's power in a band of frequencies, lacks it."""


def _mostly_same(one: np.ndarray, other: np.ndarray) -> bool:
    first, second = _windows(one), _windows(other)
    energy, other_energy = (first**2).sum(axis=1), (second**2).sum(axis=1)
    shown = np.maximum(energy, other_energy)
    structured = shown >= shown.mean() / 10
    scale = np.sqrt(energy * other_energy)
    agreement = (first * second).sum(axis=1) / np.maximum(scale, 1e-12)
    return bool((agreement[structured] >= SAME).mean() >= MOSTLY)


def _windows(vector: np.ndarray) -> np.ndarray:
    count = DETAIL // WINDOW
    cells = vector.reshape(count, WINDOW, count, WINDOW).swapaxes(1, 2)
    return cells.reshape(count**2, WINDOW**2)


def _alignment(fixed: np.ndarray, moving: np.ndarray) -> np.ndarray:
    """Find the affine map of the square that lays ``moving`` on ``fixed``.

    Lucas and Kanade (An Iterative Image Registration Technique, 1981) from coarse to fine.

    Returns:
        float [2, 3]: how far x and y move, from x, y and 1 in shares of the side about the centre;
        each at most 0.15.
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
    first = connected(len(paths), pairs)
    return {
        path: split["path"].iloc[first[at]]
        for at, path in enumerate(paths)
        if first[at] < len(split) <= at
    }


def connected(count: int, pairs: np.ndarray) -> np.ndarray:
    """Return, int [count], the first of those that each is connected to by ``pairs`` ``[M,2]``."""
    one, other = pairs.T
    graph = coo_array((np.ones(len(one)), (one, other)), shape=(count, count))
    _, labels = connected_components(graph, directed=False)
    _, first = np.unique(labels, return_index=True)
    return np.asarray(first[labels])


def hash_text(hashes: pd.Series) -> pd.Series:
    """Write hashes, uint64, as 16 hexadecimal digits."""
    return hashes.map("{:016x}".format)


def hash_values(texts: pd.Series) -> np.ndarray:
    """Read what `hash_text` wrote: uint64 [N]."""
    return np.array([int(text, 16) for text in texts], np.uint64)
