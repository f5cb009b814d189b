"""Neighbours found a block at a time are those that sorting all similarities gives."""

import numpy as np
import pytest

from twincam.explanations.twins import neighbours
from twincam.explanations.twins.neighbours import (
    Neighbours,
    looked_up,
    nearest,
    nearest_between,
    nearest_by_class,
    nearest_in_lists,
)


def sorted_by_hand(similarity: np.ndarray, k: int, allowed: np.ndarray) -> Neighbours:
    """Return neighbours by sorting each row: NaN after all numbers, then what is not allowed."""
    indices = np.full((len(similarity), min(k, similarity.shape[1])), -1)
    values = np.full(indices.shape, np.nan)
    for row, (own, may) in enumerate(zip(similarity, allowed, strict=True)):
        order = sorted(np.flatnonzero(may), key=lambda t: (np.isnan(own[t]), -own[t], t))
        first = order[: indices.shape[1]]
        indices[row, : len(first)], values[row, : len(first)] = first, own[first]
    return indices, values


def matrix(rng: np.random.Generator, ties: bool, missing: float) -> np.ndarray:
    shape = tuple(rng.integers(1, 300, 2))
    found = rng.integers(0, 5, shape) / 4 if ties else rng.normal(size=shape)
    return np.where(rng.random(shape) < missing, np.nan, found).astype(np.float32)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("missing", [0, 0.1, 0.95])
@pytest.mark.parametrize("share", [1, 0.3, 0.02])
def test_neighbours_are_those_of_sorting(
    ties: bool, missing: float, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    for queries, references, groups in ((1024, 8192, 64), (7, 90, 64), (5, 13, 4), (1, 1, 64)):
        monkeypatch.setattr(neighbours, "QUERIES", queries)
        monkeypatch.setattr(neighbours, "REFERENCES", references)
        monkeypatch.setattr(neighbours, "GROUPS", groups)
        for k in (1, 5, 400):
            similarity = matrix(rng, ties, missing)[:, : 40 if references == 1 else None]
            allowed = rng.random(similarity.shape) < share
            found = nearest(similarity, k, None if share == 1 else allowed)
            expected = sorted_by_hand(similarity, k, allowed)
            assert (found[0] == expected[0]).all()
            assert np.array_equal(found[1], expected[1], equal_nan=True)
            assert found[1].dtype == similarity.dtype


def test_nearest_is_sorted_and_ties_go_to_the_earlier() -> None:
    indices, values = nearest(np.array([[0.1, 0.9, 0.9, 0.5]]), 3)
    assert indices.tolist() == [[1, 2, 3]]
    assert values.tolist() == [[0.9, 0.9, 0.5]]


def test_too_few_allowed_leave_gaps() -> None:
    indices, values = nearest(np.array([[0.1, 0.9, 0.8]]), 2, np.array([[True, False, False]]))
    assert indices.tolist() == [[0, -1]]
    assert np.isnan(values[0, 1])


def test_a_similarity_that_is_not_a_number_comes_last() -> None:
    similarity = np.array([[np.nan, 0.5, np.nan, 0.9]])
    assert nearest(similarity, 4)[0].tolist() == [[3, 1, 0, 2]]
    few = np.array([[True, True, False, False]])
    assert nearest(similarity, 4, few)[0].tolist() == [[1, 0, -1, -1]]


def test_no_more_than_a_block_is_compared_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "QUERIES", 4)
    monkeypatch.setattr(neighbours, "REFERENCES", 10)
    similarity, seen = np.random.default_rng(0).random((9, 33)), []

    def compare(rows: neighbours.Positions, columns: neighbours.Positions) -> np.ndarray:
        found = similarity[rows][:, columns]
        seen.append(found.shape)
        return found

    nearest_between(compare, np.arange(9), np.arange(33), 3)
    assert max(seen) == (4, 10)
    assert sum(height * width for height, width in seen) == similarity.size


def test_only_the_given_queries_and_references_are_compared() -> None:
    similarity = np.random.default_rng(0).random((9, 33))
    rows, columns = np.array([1, 5, 8]), np.arange(3, 33, 2)
    found = nearest_between(looked_up(similarity), rows, columns, 4)
    expected = nearest(similarity[rows][:, columns], 4)
    assert (found[0] == columns[expected[0]]).all()
    assert (found[1] == expected[1]).all()


def test_neighbours_of_the_same_class_or_of_another() -> None:
    rng = np.random.default_rng(0)
    similarity, own, other = rng.random((20, 30)), rng.integers(0, 4, 20), rng.integers(0, 3, 30)

    def find(rows: np.ndarray, columns: np.ndarray, k: int) -> Neighbours:
        return nearest_between(looked_up(similarity), rows, columns, k)

    for alike in (True, False):
        found = nearest_by_class(find, own, other, 12, alike=alike)
        expected = nearest(similarity, 12, (own[:, None] == other) == alike)
        assert (found[0] == expected[0]).all()
        assert np.array_equal(found[1], expected[1], equal_nan=True)


def points(count: int, seed: int) -> np.ndarray:
    """Return points of forty clusters."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(0).normal(size=(40, 12))
    return centres[rng.integers(0, 40, count)] + rng.normal(0, 0.5, (count, 12))


QUERIES, REFERENCES = points(50, 1), points(3000, 2)


def in_lists(k: int, allowed: np.ndarray | None = None) -> Neighbours:
    return nearest_in_lists(
        lambda rows, columns: QUERIES[rows] @ REFERENCES[columns].T,
        lambda rows, columns: REFERENCES[rows] @ REFERENCES[columns].T,
        np.arange(50),
        np.arange(3000),
        k,
        None if allowed is None else looked_up(allowed),
    )


def test_most_neighbours_are_found_in_lists_and_the_same_each_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(neighbours, "PROBED", 10)
    true = nearest(QUERIES @ REFERENCES.T, 5)
    found, again = in_lists(5), in_lists(5)
    recall = (found[0][:, :, None] == true[0][:, None]).any(axis=2).mean()
    assert 0.8 < recall < 1
    assert (found[0] == again[0]).all()
    assert (np.diff(found[1], axis=1) <= 0).all()
    assert found[1] == pytest.approx(np.take_along_axis(QUERIES @ REFERENCES.T, found[0], axis=1))


def test_all_lists_hold_all_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "PROBED", 1000)
    true = nearest(QUERIES @ REFERENCES.T, 5)
    assert (in_lists(5)[0] == true[0]).all()


def test_where_lists_hold_too_few_all_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "PROBED", 1)
    allowed = np.random.default_rng(0).random((50, 3000)) < 0.001
    found, true = in_lists(5, allowed), nearest(QUERIES @ REFERENCES.T, 5, allowed)
    assert ((found[0] >= 0) == (true[0] >= 0)).all()
    assert (found[0] == true[0]).mean() > 0.9
