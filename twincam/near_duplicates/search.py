"""Near duplicates: perceptual hashes propose pairs of images, their pixels confirm them.

A 64-bit hash says little where all images share one layout (X-rays, documents, digits), so a match
counts only if the fine detail of both images agrees as well.
"""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
from PIL import Image
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from twincam.files.messages import warn
from twincam.near_duplicates.alignment import (
    DETAIL,
    MIN_CORRELATION,
    THUMBNAIL,
    detail,
    same_picture,
    thumbnail,
)
from twincam.near_duplicates.hashes import hamming_distances, near_pairs

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
        int [M, 2], i < j.
    """
    matches = np.zeros(len(hashes), np.int64)
    for pairs in near_pairs(hashes, distance, first_new):
        matches += np.bincount(pairs.ravel(), minlength=len(hashes))
    rows = np.flatnonzero(matches)
    details = np.empty((len(rows), DETAIL**2), np.float32)
    thumbnails = np.empty((len(rows), THUMBNAIL, THUMBNAIL), np.uint8)
    for at, image in enumerate(read(rows)):
        thumbnails[at] = thumbnail(image)
        details[at] = detail(thumbnails[at])
    confirmed, left = [np.zeros((0, 2), int)], MAX_ALIGNMENTS
    for pairs in near_pairs(hashes, distance, first_new):
        same = _correlations(details, np.searchsorted(rows, pairs)) >= MIN_CORRELATION
        confirmed.append(pairs[same])
        for one, others in _candidates(hashes, pairs, same) if left else ():
            for other in others[:left]:
                left -= 1
                first, second = thumbnails[np.searchsorted(rows, (one, other))]
                if same_picture(
                    first, second, lenient=max(matches[one], matches[other]) <= MAX_MATCHES
                ):
                    confirmed.append(np.array([[one, other]]))
                    break
    if not left:
        warn(
            "near duplicates",
            f"the hashes of {len(rows)} images match others; {MAX_ALIGNMENTS} pairs were aligned, "
            "the rest only compared without alignment, so crops among them may be missed; lower "
            "split.near_duplicate_distance if these are different pictures of one layout",
        )
    return np.concatenate(confirmed)


def _candidates(
    hashes: np.ndarray, pairs: np.ndarray, same: np.ndarray
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield each first image of ``pairs`` that has no confirmed pair, and its closest matches."""
    confirmed = np.unique(pairs[same, 0])
    unconfirmed = pairs[~np.isin(pairs[:, 0], confirmed)]
    distances = hamming_distances(hashes[unconfirmed[:, 0]], hashes[unconfirmed[:, 1]])
    ordered = unconfirmed[np.lexsort((unconfirmed[:, 1], distances, unconfirmed[:, 0]))]
    ones, starts = np.unique(ordered[:, 0], return_index=True)
    for one, start in zip(ones, starts, strict=True):
        others = ordered[start : start + MAX_MATCHES]
        yield int(one), others[others[:, 0] == one, 1]


def _correlations(details: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Return the dot products ``[M]`` of the rows of ``details`` that ``pairs`` ``[M,2]`` index."""
    first, second = (np.flatnonzero(np.bincount(column)) for column in pairs.T)
    products = details[first] @ details[second].T
    return products[np.searchsorted(first, pairs[:, 0]), np.searchsorted(second, pairs[:, 1])]


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
