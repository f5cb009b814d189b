"""The pairs of 64-bit hashes within a Hamming distance, without comparing each with every other.

Multi-index hashing (Norouzi, Punjani & Fleet, CVPR 2012): cut into m parts, two hashes that differ
in at most d bits differ in at most r_i bits of some part i, for any r_i that add up to d - m + 1
(Qin et al., GPH, ICDE 2018). So only hashes whose parts are that close are compared: those in the
buckets of nearby values of a part, a dense table at a time.
"""

from collections.abc import Iterator
from itertools import combinations
from typing import NamedTuple

import numpy as np

from twincam.near_duplicates.hashes import FLAT

COUNTS = (1, 4, 5, 6, 8, 10)
"""Numbers of parts to choose from; as 1 compares all hashes with all, it suits the fewest."""

MOST_FLIPS = 1000
"""The most values of a part that are nearby."""

BUCKET_COST = 100_000
"""Comparisons that take as long as collecting a bucket's neighbours."""

COLUMNS, COMPARED = 2**13, 2**16
"""The most hashes that others are compared with at a time, and the most comparisons: few enough for
the processor's cache."""

YIELDED = 2**20
"""Pairs yielded at a time, about."""


class Part(NamedTuple):
    """Some bits of a hash, from ``shift`` on, and in how many of them two hashes may differ."""

    shift: int
    bits: int
    radius: int

    def values(self, hashes: np.ndarray) -> np.ndarray:
        """Return the part of each of ``hashes``, from 0 to 2**bits - 1."""
        return (hashes >> np.uint64(self.shift)) & np.uint64(2**self.bits - 1)


def near_pairs(hashes: np.ndarray, distance: int, first_new: int = 0) -> Iterator[np.ndarray]:
    """Yield the pairs i < j, with j at least ``first_new``, of hashes within ``distance`` bits.

    Each pair is yielded once, in no particular order.

    Args:
        hashes: uint64 [N]; `FLAT` matches nothing.
        distance: -1..64; -1 finds no pair.
        first_new: 0..N; hashes before it are not compared with each other.

    Yields:
        int [M, 2], M at most a little over `YIELDED`.
    """
    structured = np.flatnonzero(hashes != FLAT)
    known, start = hashes[structured], int(np.searchsorted(structured, first_new))
    if distance < 0 or start == len(known):
        return
    plans = (plan for count in COUNTS if _few_flips(plan := parts(distance, count)))
    cheapest = min(plans, key=lambda plan: sum(_cost(known, start, part) for part in plan))
    for place, part in enumerate(cheapest):
        for pairs in _gathered(_near_by(known, start, part, distance)):
            differ = known[pairs[:, 0]] ^ known[pairs[:, 1]]
            repeated = np.zeros(len(pairs), bool)
            for earlier in cheapest[:place]:
                repeated |= np.bitwise_count(earlier.values(differ)) <= earlier.radius
            yield structured[pairs[~repeated]]


def parts(distance: int, count: int) -> list[Part]:
    """Return parts of 64 bits of which every two hashes within ``distance`` have a close one.

    Args:
        distance: 0..64.
        count: of the parts that the bits are cut into; those that need not be looked at are left
            out. The single part of 1 is empty, so that all hashes are close.
    """
    if count == 1:
        return [Part(0, 0, 0)]
    bounds = np.linspace(0, 64, count + 1).astype(int).tolist()
    used = min(count, distance + 1)
    each, more = divmod(distance + 1 - used, used)
    return [
        Part(bounds[i], bounds[i + 1] - bounds[i], each + (i >= used - more)) for i in range(used)
    ]


def _few_flips(plan: list[Part]) -> bool:
    return all(len(_flips(part)) <= MOST_FLIPS for part in plan)


def _flips(part: Part) -> np.ndarray:
    """Return the exclusive ors of a value of ``part`` with each nearby one; the first is 0."""
    flips = [
        sum(1 << bit for bit in bits)
        for radius in range(min(part.radius, part.bits) + 1)
        for bits in combinations(range(part.bits), radius)
    ]
    return np.array(flips, np.int64)


def _cost(hashes: np.ndarray, first_new: int, part: Part) -> int:
    """Return the comparisons that `_near_by` makes, with those that take as long as the rest."""
    values = part.values(hashes).astype(np.int64)
    everyone, new = (
        np.bincount(some, minlength=2**part.bits) for some in (values, values[first_new:])
    )
    asked = np.flatnonzero(new)
    nearby = sum(everyone[asked ^ flip] for flip in _flips(part))
    return int(new[asked] @ nearby) + BUCKET_COST * len(asked)


def _near_by(hashes: np.ndarray, first_new: int, part: Part, distance: int) -> Iterator[np.ndarray]:
    """Yield the pairs of `near_pairs` that are close in ``part``, none of the hashes `FLAT`."""
    values, flips = part.values(hashes).astype(np.int64), _flips(part)
    order = np.argsort(values, kind="stable")
    ordered = hashes[order]
    starts = np.searchsorted(values[order], np.arange(2**part.bits + 1))
    for value in np.unique(values[first_new:]):
        rows = order[starts[value] : starts[value + 1]]
        rows = rows[np.searchsorted(rows, first_new) :]
        nearby = value ^ flips
        columns = _ranges(starts[nearby], starts[nearby + 1])
        for left in range(0, len(columns), COLUMNS):
            some = columns[left : left + COLUMNS]
            others, height = ordered[some], COMPARED // len(some)
            for top in range(0, len(rows), height):
                block = rows[top : top + height]
                near = np.bitwise_count(hashes[block, None] ^ others) <= distance
                row, column = np.divmod(np.flatnonzero(near), len(some))
                pairs = np.stack([order[some[column]], block[row]], axis=1)
                yield pairs[pairs[:, 0] < pairs[:, 1]]


def _gathered(blocks: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """Yield the rows of ``blocks``, `YIELDED` or a little more at a time."""
    waiting, count = [], 0
    for block in blocks:
        if len(block):
            waiting.append(block)
            count += len(block)
        if count >= YIELDED:
            yield np.concatenate(waiting)
            waiting, count = [], 0
    if waiting:
        yield np.concatenate(waiting)


def _ranges(starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Return the whole numbers of each range from a start to before its end, one after another."""
    lengths = ends - starts
    return np.repeat(ends - lengths.cumsum(), lengths) + np.arange(lengths.sum())
