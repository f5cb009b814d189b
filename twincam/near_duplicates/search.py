"""Near duplicates: perceptual hashes propose pairs of images, their pixels confirm them.

A 64-bit hash says little where all images share one layout (X-rays, documents, digits), so a match
counts only if the fine detail of both images agrees as well.
"""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
from PIL import Image
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from twincam.files.arrays import temporary_array
from twincam.files.messages import warn
from twincam.near_duplicates.alignment import (
    DETAIL,
    MIN_CORRELATION,
    THUMBNAIL,
    detail,
    same_picture,
    thumbnail,
)
from twincam.near_duplicates.hashes import hamming_distances
from twincam.near_duplicates.pairs import near_pairs

MAX_MATCHES = 8
"""A match of hashes is strong evidence for images that match at most this many others: these may
also differ in an edited part, or in sharpness. At most this many matches of an image are aligned,
the closest first."""

MAX_ALIGNMENTS = 5000
"""In one search, which takes about two minutes."""


def near_duplicates(
    hashes: np.ndarray,
    distance: int,
    read: Callable[[np.ndarray], Iterable[Image.Image]],
    first_new: int = 0,
) -> np.ndarray:
    """Return pairs of `near_pairs` that show the same picture, enough to connect all that do.

    They do if their `detail` correlates by at least `MIN_CORRELATION`. Otherwise the closest
    `MAX_MATCHES` later matches of each image are checked with `same_picture` until one succeeds.
    After `MAX_ALIGNMENTS` of these the search stops aligning and warns on standard error.

    Args:
        hashes: uint64 [N], of `perceptual_hash`.
        distance: -1..64; -1 finds no pair.
        read: returns the images, of any size, at an array of ascending positions.
        first_new: as for `near_pairs`.

    Returns:
        int [M, 2], i < j, in ascending order.
    """
    matches = np.zeros(len(hashes), np.int64)
    for pairs in near_pairs(hashes, distance, first_new):
        matches += np.bincount(pairs.ravel(), minlength=len(hashes))
    rows = np.flatnonzero(matches)
    if not len(rows):
        return np.zeros((0, 2), int)
    thumbnails, details = _read_small(rows, read)
    confirmed: list[np.ndarray] = []
    closest = np.full((len(rows), MAX_MATCHES), NOTHING)
    for pairs in near_pairs(hashes, distance, first_new):
        places = np.searchsorted(rows, pairs)
        same = _correlations(details, places) >= MIN_CORRELATION
        confirmed.append(pairs[same])
        closest[places[same, 0]] = SETTLED
        _keep_closest(closest, places[~same], hamming_distances(*hashes[pairs[~same]].T))
    left = MAX_ALIGNMENTS
    for one, others in _candidates(closest):
        for other in others[:left]:
            left -= 1
            lenient = max(matches[rows[[one, other]]]) <= MAX_MATCHES
            if same_picture(thumbnails[one], thumbnails[other], lenient=lenient):
                confirmed.append(rows[[[one, other]]])
                break
    if not left:
        warn(
            "near duplicates",
            f"the hashes of {len(rows)} images match others; {MAX_ALIGNMENTS} pairs were aligned, "
            "the rest only compared without alignment, so crops among them may be missed; lower "
            "split.near_duplicate_distance if these are different pictures of one layout",
        )
    found = np.concatenate(confirmed)
    return np.asarray(found[np.lexsort(found.T[::-1])])


def _read_small(
    rows: np.ndarray, read: Callable[[np.ndarray], Iterable[Image.Image]]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the thumbnails ``[N,128,128]`` and the details ``[N,4096]`` of the images at ``rows``.

    They are kept in a temporary file, as they take 32 kB an image.
    """
    thumbnails = temporary_array((len(rows), THUMBNAIL, THUMBNAIL), np.uint8)
    details = temporary_array((len(rows), DETAIL**2), np.float32)
    for at, image in enumerate(read(rows)):
        thumbnails[at] = thumbnail(image)
        details[at] = detail(thumbnails[at])
    return thumbnails, details


NOTHING, SETTLED = np.iinfo(np.int64).max, -1
"""In the table of closest matches: no match; and all of an image that has a confirmed pair."""


def _keep_closest(closest: np.ndarray, pairs: np.ndarray, distances: np.ndarray) -> None:
    """Put the second of each pair among the closest of the first, if it is one; in place.

    Args:
        closest: ``[N,k]``, the distance times 2**32 plus the place of the k closest, ascending.
        pairs: places ``[M,2]``.
        distances: of hashes, ``[M]``.
    """
    keys = (distances.astype(np.int64) << 32) + pairs[:, 1]
    ordered = np.lexsort((keys, pairs[:, 0]))
    firsts, starts, counts = np.unique(pairs[ordered, 0], return_index=True, return_counts=True)
    reach = np.arange(closest.shape[1])
    at = np.minimum(starts[:, None] + reach, len(keys) - 1)
    new = np.where(reach < counts[:, None], keys[ordered][at], NOTHING)
    both = np.sort(np.concatenate([closest[firsts], new], axis=1), axis=1)
    closest[firsts] = both[:, : closest.shape[1]]


def _candidates(closest: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the place of each image without a confirmed pair, and those of its closest matches."""
    unsettled = (closest[:, 0] != SETTLED) & (closest[:, 0] != NOTHING)
    for one in np.flatnonzero(unsettled):
        yield int(one), closest[one][closest[one] != NOTHING] & (2**32 - 1)


DENSE, GATHERED = 16, 2**14
"""Vectors are multiplied each by each if that gives at most this many products for each one wanted,
and if they are no more than this many."""


def _correlations(details: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Return the dot products ``[M]`` of the rows of ``details`` that ``pairs`` ``[M,2]`` index."""
    (first, one), (second, other) = (np.unique(side, return_inverse=True) for side in pairs.T)
    few = len(first) + len(second) <= GATHERED
    if few and len(first) * len(second) <= DENSE * len(pairs):
        return np.asarray((details[first] @ details[second].T)[one, other])
    products = np.empty(len(pairs), details.dtype)
    for start in range(0, len(pairs), 1024):
        left, right = (details[side] for side in pairs[start : start + 1024].T)
        products[start : start + 1024] = np.einsum("nc,nc->n", left, right)
    return products


def first_connected(count: int, pairs: np.ndarray) -> np.ndarray:
    """Return, int [count], the first member of each item's component in the graph ``pairs``.

    Args:
        count: of items.
        pairs: int [M, 2], its edges.
    """
    one, other = pairs.T
    graph = coo_array((np.ones(len(one)), (one, other)), shape=(count, count))
    _, labels = connected_components(graph, directed=False)
    _, first = np.unique(labels, return_index=True)
    return np.asarray(first[labels])
