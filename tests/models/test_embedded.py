"""Arrays whose rows come in parts."""

import numpy as np

from twincam.models.embedded import join_rows

WHOLE = np.arange(30, dtype=np.float32).reshape(10, 3)


def test_parts_are_joined_in_order_whatever_their_lengths() -> None:
    parts = ((WHOLE[start : start + 4], WHOLE[start : start + 4, 0] > 9) for start in (0, 4, 8))
    first, second = join_rows(parts, 10)
    assert np.array_equal(first, WHOLE)
    assert first.dtype == np.float32
    assert np.array_equal(second, WHOLE[:, 0] > 9)


def test_arrays_may_differ_in_their_rows() -> None:
    few, none = join_rows([(WHOLE[:1], WHOLE[:0]), (WHOLE[1:3], WHOLE[:0])], [3, 0])
    assert np.array_equal(few, WHOLE[:3])
    assert none.shape == (0, 3)
