"""Feature maps, features and logits of images, as arrays: comparing them needs no network."""

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np

Maps = tuple[np.ndarray, ...]
"""The feature maps that the head reads, ``[N,C,h,w]`` of each level, from the finest."""


class Embedded(NamedTuple):
    """Feature maps of each level, their means ``[N,C]`` and logits ``[N,K]``; float32.

    The channels of the levels stand one after the other in the features; the first ``finer`` of
    them are of other levels than the coarsest. Where the maps are not kept, ``maps`` is empty.
    """

    maps: Maps
    features: np.ndarray
    logits: np.ndarray
    finer: int = 0


def at(embedded: Embedded, rows: np.ndarray | slice) -> Embedded:
    """Return the images at ``rows`` of ``embedded``; without maps where it has none."""
    maps, features, logits, finer = embedded
    return Embedded(maps_at(maps, rows), features[rows], logits[rows], finer)


def maps_at(maps: Maps, rows: np.ndarray | slice) -> Maps:
    """Return the maps of the images at ``rows``."""
    return tuple(level[rows] for level in maps)


def joined(parts: Iterable[Embedded], count: int) -> Embedded:
    """Return the ``count`` images of ``parts``, at least one, one after the other."""
    every = iter(parts)
    first = next(every)
    rows = ((*one.maps, one.features, one.logits) for one in chain([first], every))
    *maps, features, logits = join_rows(rows, count)
    return Embedded(tuple(maps), features, logits, first.finer)


def coarsest(embedded: Embedded) -> Embedded:
    """Return what the coarsest level alone sees: its maps and features, and the logits of all."""
    return Embedded(embedded.maps[-1:], embedded.features[:, embedded.finer :], embedded.logits)


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
