"""The pairs of close hashes are those that comparing each with every other finds, once each."""

from collections.abc import Callable

import numpy as np
import pytest

from twincam.near_duplicates import pairs
from twincam.near_duplicates.hashes import FLAT
from twincam.near_duplicates.pairs import near_pairs, parts

Make = Callable[[np.random.Generator, int], np.ndarray]

DISTANCES = (-1, 0, 1, 2, 3, 7, 10, 11, 20, 32, 33, 63, 64)


def uniform(rng: np.random.Generator, count: int) -> np.ndarray:
    return rng.integers(0, 2**64, count, dtype=np.uint64)


def clustered(rng: np.random.Generator, count: int) -> np.ndarray:
    """Return variants of a few hashes, up to twelve bits away, some of them equal."""
    flips = (np.uint64(1) << rng.integers(0, 64, (12, count), dtype=np.uint64)) * (
        rng.random((12, count)) < rng.random(count)
    )
    return uniform(rng, 5)[rng.integers(0, 5, count)] ^ np.bitwise_xor.reduce(flips, axis=0)


def half_set(rng: np.random.Generator, count: int) -> np.ndarray:
    """Return hashes of which 32 bits are set, in their upper half but for a few."""
    bits = np.argsort(np.arange(64) + rng.normal(0, 9, (count, 64)), axis=1) < 32
    return np.packbits(bits, axis=1).view(">u8")[:, 0].astype(np.uint64)


def brute_force(hashes: np.ndarray, distance: int, first_new: int) -> list[list[int]]:
    near = np.bitwise_count(hashes[:, None] ^ hashes) <= distance
    flat = hashes == FLAT
    near[flat] = near[:, flat] = near[:, :first_new] = False
    return np.argwhere(np.triu(near, 1)).tolist() if distance >= 0 else []


def found_pairs(hashes: np.ndarray, distance: int, first_new: int) -> list[list[int]]:
    blocks = near_pairs(hashes, distance, first_new)
    return sorted(pair for block in blocks for pair in block.tolist())


@pytest.mark.parametrize("make", [uniform, clustered, half_set])
@pytest.mark.parametrize("count", pairs.COUNTS)
def test_pairs_are_those_of_brute_force(
    make: Make, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pairs, "COUNTS", (1, count))
    monkeypatch.setattr(pairs, "BUCKET_COST", -(10**9))  # so that 1 is the last choice
    rng = np.random.default_rng(0)
    for distance in DISTANCES:
        n = int(rng.integers(2, 120))
        hashes = make(rng, n)
        hashes[rng.random(n) < 0.05] = FLAT
        for first_new in (0, n // 3, n):
            found = found_pairs(hashes, distance, first_new)
            assert found == brute_force(hashes, distance, first_new)


def test_pairs_do_not_depend_on_how_many_are_compared_or_yielded_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hashes = clustered(np.random.default_rng(1), 300)
    whole = found_pairs(hashes, 10, 100)
    assert whole == brute_force(hashes, 10, 100)
    for name, most in (("YIELDED", 5), ("COMPARED", 7), ("COLUMNS", 3)):
        monkeypatch.setattr(pairs, name, most)
    assert max(map(len, near_pairs(hashes, 10, 100))) < 5 + 7
    assert found_pairs(hashes, 10, 100) == whole


@pytest.mark.parametrize("distance", range(65))
def test_hashes_within_the_distance_are_close_in_a_part(distance: int) -> None:
    rng = np.random.default_rng(distance)
    differ = np.packbits(rng.random((500, 64)).argsort(axis=1) < distance, axis=1)
    for count in pairs.COUNTS:
        close = [
            np.bitwise_count(part.values(differ.view(">u8")[:, 0].astype(np.uint64))) <= part.radius
            for part in parts(distance, count)
        ]
        assert np.any(close, axis=0).all()


def test_few_of_all_pairs_are_compared() -> None:
    hashes = uniform(np.random.default_rng(0), 100_000)
    costs = [sum(pairs._cost(hashes, 0, part) for part in parts(10, n)) for n in pairs.COUNTS]
    assert costs[0] > len(hashes) ** 2
    assert min(costs) < costs[0] / 5
