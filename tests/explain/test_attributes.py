"""What neighbours have in common is counted against what chance would give."""

import numpy as np

from stages.explain.attributes import shared_at

KNOWN = np.array(["ear"] * 5 + ["tail"] * 5 + [""] * 10)


def test_the_nearest_five_are_counted_among_images_that_have_a_value() -> None:
    queries = np.array(["ear", "tail", ""])
    near = np.zeros((3, 20))
    near[0, :5], near[1, :5] = 1, 1
    near[:, 10:] = 2
    found = shared_at(near, queries, KNOWN, 0)
    assert found["n"] == 2
    assert found["share"] == 0.5
    assert found["chance"] == 0.5
    assert found["over_chance"]["low"] <= 0 <= found["over_chance"]["high"]


def test_nothing_is_said_where_too_few_have_a_value() -> None:
    assert shared_at(np.zeros((2, 20)), np.array(["ear", ""]), KNOWN, 0) == {}
    assert shared_at(np.zeros((2, 20)), np.array(["ear", "tail"]), np.full(20, ""), 0) == {}
