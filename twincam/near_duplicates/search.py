"""Near duplicates: perceptual hashes propose pairs of images, their pixels confirm them.

A hash of 64 bits says little where all images share one layout (X-rays, documents, digits), so a
match counts only if the fine detail of both images agrees, too.
"""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
from PIL import Image
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from twincam.files.messages import warn
from twincam.near_duplicates.alignment import (
    ALIKE,
    DETAIL,
    THUMBNAIL,
    detail,
    same_picture,
    thumbnail,
)
from twincam.near_duplicates.hashes import bits_apart, near_pairs

RARE = 8
"""A match of hashes says much about images that match at most so many others: they may also differ
in a part, or in sharpness. So many matches of an image are aligned, the closest first."""

ALIGNMENTS = 5000
"""At most in one search: two minutes or so."""


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


def connected(count: int, pairs: np.ndarray) -> np.ndarray:
    """Return, int [count], the first of those that each is connected to by ``pairs`` ``[M,2]``."""
    one, other = pairs.T
    graph = coo_array((np.ones(len(one)), (one, other)), shape=(count, count))
    _, labels = connected_components(graph, directed=False)
    _, first = np.unique(labels, return_index=True)
    return np.asarray(first[labels])
