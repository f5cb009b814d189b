"""The nearest neighbours, and their majority vote.

Similarities are computed and forgotten a block at a time, so that memory does not grow with the
number of queries times that of references.
"""

from collections.abc import Callable, Iterable, Iterator

import numpy as np

Neighbours = tuple[np.ndarray, np.ndarray]
"""Positions of references ``[Q,k]``, the nearest first, -1 for none; and their similarities."""

Positions = np.ndarray | slice
Compare = Callable[[Positions, Positions], np.ndarray]
"""Of the positions of some queries ``[B]`` and references ``[R]``: their similarities ``[B,R]``."""

QUERIES, REFERENCES = 1024, 8192
"""The most queries and references compared at a time."""

GROUPS = 64
"""Parts of a block whose maxima tell which similarities cannot be among the largest."""

PROBED = 64
"""Lists that `nearest_in_lists` searches for each query."""


def nearest(similarity: np.ndarray, k: int, allowed: np.ndarray | None = None) -> Neighbours:
    """Return indices and similarities ``[Q,k]`` of the k nearest, the nearest first.

    Args:
        similarity: ``[Q,T]``; NaN comes last.
        k: at most T; ties go to the earlier image.
        allowed: bool ``[Q,T]``; if fewer than k are allowed, the rest has index -1 and similarity
            NaN.
    """
    rows, columns = (np.arange(count) for count in similarity.shape)
    only = None if allowed is None else looked_up(allowed)
    return nearest_between(looked_up(similarity), rows, columns, k, only)


def nearest_between(
    compare: Compare,
    rows: np.ndarray,
    columns: np.ndarray,
    k: int,
    allowed: Compare | None = None,
) -> Neighbours:
    """Return the k references nearest to each query, the nearest first.

    Args:
        compare: similarities; NaN comes last.
        rows: positions of the queries, ``[Q]``.
        columns: positions of the references, ascending, ``[T]``.
        k: at most T; ties go to the earlier reference.
        allowed: whether, bool ``[B,R]``, references may be neighbours; all if None. If fewer than k
            may, the rest has position -1 and similarity NaN.
    """
    return _nearest_of(compare, rows, blocks(len(rows), columns), min(k, len(columns)), allowed)


def nearest_in_lists(
    compare: Compare,
    compare_references: Compare,
    rows: np.ndarray,
    columns: np.ndarray,
    k: int,
    allowed: Compare | None = None,
) -> Neighbours:
    """Return most of the k references nearest to each query, as `nearest_between` returns all.

    An inverted file (Sivic & Zisserman, ICCV 2003; Jégou, Douze & Schmid, PAMI 2011) that needs
    nothing but similarities: each reference belongs to the list of the most similar of some
    references chosen at random, and each query is compared with the `PROBED` lists whose heads
    are most similar to it. A query with fewer than k neighbours there is compared with all.

    Args:
        compare: similarities of queries and references.
        compare_references: similarities of references and references.
        rows: as for `nearest_between`.
        columns: the same.
        k: the same.
        allowed: the same.
    """
    heads = _list_heads(columns)
    owner = nearest_between(compare_references, columns, heads, 1)[0][:, 0]
    probed = nearest_between(compare, rows, heads, PROBED)[0]
    places, lists = np.divmod(np.argsort(probed, axis=None, kind="stable"), probed.shape[1])
    asked = probed[places, lists]

    def listed() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for head in heads:
            members = columns[owner == head]
            queries = places[np.searchsorted(asked, head) : np.searchsorted(asked, head, "right")]
            for places_of_block, some in blocks(len(queries), members):
                yield queries[places_of_block], some

    k = min(k, len(columns))
    found = _nearest_of(compare, rows, listed(), k, allowed)
    short = np.flatnonzero((found[0] < 0).any(axis=1))
    for part, all_of_it in zip(
        found, nearest_between(compare, rows[short], columns, k, allowed), strict=True
    ):
        part[short] = all_of_it
    return found


def _list_heads(columns: np.ndarray) -> np.ndarray:
    """Return a random sample of ``columns``, ascending, the same each time."""
    from twincam.determinism import generator

    count = round(len(columns) ** 0.5)
    chosen = generator(0, "list heads").choice(len(columns), count, replace=False)
    return columns[np.sort(chosen)]


def nearest_by_class(
    find: Callable[[np.ndarray, np.ndarray, int], Neighbours],
    own: np.ndarray,
    other: np.ndarray,
    k: int,
    *,
    alike: bool,
) -> Neighbours:
    """Return each query's k nearest references of its own class, or of the other classes.

    Args:
        find: of the positions of queries and references and their number k, the neighbours.
        own: class of each query, ``[Q]``.
        other: class of each reference, ``[T]``.
        k: if there are fewer, the rest has position -1 and similarity NaN.
        alike: whether neighbours have the query's class, or another.
    """
    indices, values = np.full((len(own), k), -1), np.full((len(own), k), np.nan)
    for name in np.unique(own):
        rows, columns = np.flatnonzero(own == name), np.flatnonzero((other == name) == alike)
        index, value = find(rows, columns, k)
        values = values.astype(value.dtype)
        indices[rows, : index.shape[1]], values[rows, : index.shape[1]] = index, value
    return indices, values


def looked_up(matrix: np.ndarray) -> Compare:
    """Return the comparison that looks values up in ``matrix`` ``[Q,T]``."""
    return lambda rows, columns: matrix[rows][:, columns]


def blocks(queries: int, columns: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield all pairs of queries, ``range(queries)``, and ``columns``, some of each at a time."""
    for start in range(0, len(columns), REFERENCES):
        for first in range(0, queries, QUERIES):
            rows = np.arange(first, min(first + QUERIES, queries))
            yield rows, columns[start : start + REFERENCES]


def _nearest_of(
    compare: Compare,
    rows: np.ndarray,
    pairs: Iterable[tuple[np.ndarray, np.ndarray]],
    k: int,
    allowed: Compare | None,
) -> Neighbours:
    """Return the k nearest of each query among the references that ``pairs`` compare it with.

    Args:
        compare: as for `nearest_between`.
        rows: the same.
        pairs: places among ``rows``, ascending, and positions of references, ascending.
        k: the same.
        allowed: the same.
    """
    indices, values = np.full((len(rows), k), -1), np.full((len(rows), k), -np.inf)
    kind = np.finfo(float)
    for places, columns in pairs if k else ():
        block = _positions(rows[places]), _positions(columns)
        similarity = compare(*block)
        kind = np.finfo(similarity.dtype)
        if np.isnan(similarity.min(initial=0)):
            similarity = np.where(np.isnan(similarity), kind.min, similarity)
        if allowed is not None:
            similarity = np.where(allowed(*block), similarity, -np.inf)
        row, column = _among_first(similarity, k, np.maximum(values[places, -1], kind.min))
        new = _by_query(row, columns[column], similarity[row, column], (len(places), k))
        indices[places], values[places] = _sorted(
            np.hstack([indices[places], new[0]]), np.hstack([values[places], new[1]]), k
        )
    return indices, np.where(values > kind.min, values, np.nan).astype(kind.dtype)


def _positions(ascending: np.ndarray) -> Positions:
    """Return ``ascending`` as a slice if nothing is missing in between, to read without a copy."""
    if len(ascending) and ascending[-1] - ascending[0] + 1 == len(ascending):
        return slice(int(ascending[0]), int(ascending[-1]) + 1)
    return ascending


def _among_first(
    similarity: np.ndarray, k: int, lowest: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return rows, ascending, and columns of a few values that include the k largest of each row.

    Those below ``lowest`` ``[B]`` are left out. The k-th largest value is at least the k-th largest
    of the maxima of some groups, which is faster to find.
    """
    width = similarity.shape[1] // GROUPS
    if k <= GROUPS <= similarity.shape[1] and (lowest == np.finfo(similarity.dtype).min).any():
        groups = similarity[:, : GROUPS * width].reshape(len(similarity), GROUPS, width)
        largest = np.partition(groups.max(axis=2), GROUPS - k, axis=1)[:, GROUPS - k]
        lowest = np.maximum(lowest, largest)
    enough = similarity >= lowest[:, None].astype(similarity.dtype)
    return np.divmod(np.flatnonzero(enough), max(similarity.shape[1], 1))


def _by_query(
    row: np.ndarray, columns: np.ndarray, values: np.ndarray, shape: tuple[int, int]
) -> Neighbours:
    """Return the best k of each query, ``shape`` ``[B,k]``, of the values in its ``row``.

    Args:
        row: of the queries, ascending, ``[N]``.
        columns: positions of the references, ``[N]``.
        values: their similarities, ``[N]``.
        shape: ``[B,k]``.
    """
    order = np.lexsort((columns, -values, row))
    place = np.arange(len(row)) - np.searchsorted(row, row)
    first = place < shape[1]
    best, own = order[first], (row[first], place[first])
    indices, similarities = np.full(shape, -1), np.full(shape, -np.inf)
    indices[own], similarities[own] = columns[best], values[best]
    return indices, similarities


def _sorted(indices: np.ndarray, values: np.ndarray, k: int) -> Neighbours:
    """Return the first k of each row, the largest first and of equal ones the earlier."""
    order = np.lexsort((indices, -values), axis=1)[:, :k]
    return np.take_along_axis(indices, order, axis=1), np.take_along_axis(values, order, axis=1)


def vote(labels: np.ndarray) -> np.ndarray:
    """Return the most frequent label ``[Q]`` among neighbours' ``[Q,k]``; ties go to the nearest's.

    Args:
        labels: class indices, the nearest first.
    """
    counts = (labels[:, :, None] == labels[:, None, :]).sum(axis=2)
    return np.asarray(np.take_along_axis(labels, counts.argmax(axis=1)[:, None], axis=1)[:, 0])
