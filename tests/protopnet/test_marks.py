"""A mark is erased and planted, and what is changed is chosen by class."""

import numpy as np

from stages.protopnet.marks import changed_pictures, erase, plant


def test_an_erased_mark_is_filled_from_around_and_a_planted_one_is_copied() -> None:
    image = np.full((224, 224, 3), (90, 120, 150), np.uint8)
    mask = np.zeros((224, 224), np.uint8)
    mask[100:110, 100:110] = 255
    marked = plant(image, np.full_like(image, 255), mask)
    assert (marked != image).any(axis=2).sum() == 100
    marked[99:111, 99:111] = np.where(marked[99:111, 99:111] == 255, 255, 200)
    assert np.array_equal(erase(marked, mask), image), "the rim goes too"


def test_marks_are_erased_where_they_are_and_planted_into_classes_without_any() -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)
    marks = np.zeros((8, 32, 32), np.uint8)
    marks[[0, 2], 4:8, 4:8] = 255
    rows, labels = np.arange(1, 8), np.array([1, 0, 1, 0, 1, 0, 1])
    found = changed_pictures(images, marks, rows, labels, 0)
    assert {case: len(made) for case, made in found.items()} == {
        (0, "mark_erased"): 1,
        (1, "mark_planted"): 4,
        (1, "other_planted"): 4,
    }
    assert np.array_equal(found[0, "mark_erased"][0], erase(images[2], marks[2]))
    planted = found[1, "mark_planted"][:, 4:8, 4:8]
    assert (planted == images[2, 4:8, 4:8]).all()
    assert changed_pictures(images, marks[:0], rows, labels, 0) == {}
