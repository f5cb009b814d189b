"""Images are chosen at random with classes in turn."""

import numpy as np

from twincam.statistics.sampling import alternate_classes, sample_balanced, turns

LABELS = np.array(["b"] * 5 + ["a"] * 2)


def test_turns_count_within_each_class_in_the_order_given() -> None:
    assert turns(LABELS, np.array([6, 0, 1, 5, 2])).tolist() == [0, 0, 1, 1, 2]


def test_classes_come_in_turn_and_keep_their_order_within() -> None:
    assert alternate_classes(LABELS, np.array([3, 1, 6, 0, 5])).tolist() == [6, 3, 5, 1, 0]


def test_few_of_many_are_as_many_of_each_class_as_there_are() -> None:
    chosen = sample_balanced(LABELS, 5, 0, "x")
    assert np.sort(LABELS[chosen]).tolist() == ["a", "a", "b", "b", "b"]
    assert (np.diff(chosen) > 0).all()
