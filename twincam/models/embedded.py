"""Feature maps, features and logits of images, as arrays: comparing them needs no network."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

Maps = tuple[np.ndarray, ...]
"""The feature maps that the head reads, ``[N,C,h,w]`` of each level, from the finest."""


class Embedded(NamedTuple):
    """Feature maps of each level, their means ``[N,C]`` and logits ``[N,K]``; float32.

    The channels of the levels stand one after the other in the features. Where the maps are not
    kept, ``maps`` is empty.
    """

    maps: Maps
    features: np.ndarray
    logits: np.ndarray


def at(embedded: Embedded, rows: np.ndarray | slice) -> Embedded:
    """Return the images at ``rows`` of ``embedded``; without maps where it has none."""
    maps = maps_at(embedded.maps, rows)
    return Embedded(maps, embedded.features[rows], embedded.logits[rows])


def maps_at(maps: Maps, rows: np.ndarray | slice) -> Maps:
    """Return the maps of the images at ``rows``."""
    return tuple(level[rows] for level in maps)


def joined(parts: Iterable[Embedded], count: int) -> Embedded:
    """Return the ``count`` images of ``parts``, at least one, one after the other."""
    rows = ((*one.maps, one.features, one.logits) for one in parts)
    *maps, features, logits = join_rows(rows, count)
    return Embedded(tuple(maps), features, logits)


def join_rows(
    parts: Iterable[Sequence[np.ndarray]], counts: int | Sequence[int]
) -> tuple[np.ndarray, ...]:
    """Return arrays whose rows come in parts, each part put in its place at once.

    Kept in a list until the last one comes, small parts lie between the large temporary arrays of
    the forward passes that make them, and the allocator cannot give these back: two megabytes a
    batch.

    Args:
        parts: at least one; of each array its next rows.
        counts: how many rows each array has in the end, or all of them have.
    """
    whole: list[np.ndarray] = []
    done: list[int] = []
    for part in parts:
        if not whole:
            wanted = [counts] * len(part) if isinstance(counts, int) else counts
            shapes = [(n, *rows.shape[1:]) for n, rows in zip(wanted, part, strict=True)]
            whole = [np.empty(shape, rows.dtype) for shape, rows in zip(shapes, part, strict=True)]
            done = [0] * len(part)
        for number, rows in enumerate(part):
            whole[number][done[number] : done[number] + len(rows)] = rows
            done[number] += len(rows)
    return tuple(whole)
