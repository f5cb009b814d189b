"""Swaps are minimal, and pastes land where they should."""

from itertools import product

import numpy as np
import pytest

from twincam.explanations.counterfactuals import (
    minimal_swap,
    paste_cells,
    paste_region,
    random_cells,
)

SUBSETS = np.array(list(product([False, True], repeat=6))).reshape(-1, 2, 3)


def unlike_pairs(classes: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(classes)
    bias = rng.normal(size=classes) / 5
    scores = rng.normal(size=(2, 400, classes, 2, 3))
    first, second = ((one.mean(axis=(2, 3)) + bias).argmax(axis=1) for one in scores)
    unlike = first != second
    assert unlike.sum() > 100
    return scores[0, unlike], scores[1, unlike], bias


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_no_smaller_set_of_cells_turns_the_prediction(classes: int) -> None:
    query, partner, bias = unlike_pairs(classes)
    swap = minimal_swap(query, partner, bias)
    predicted = (query.mean(axis=(2, 3)) + bias).argmax(axis=1)
    assert (swap.needed == swap.cells.sum(axis=(1, 2))).all()
    for row in range(len(query)):
        mixed = np.where(SUBSETS[:, None], partner[row], query[row]).mean(axis=(2, 3)) + bias
        turned = mixed.argmax(axis=1) != predicted[row]
        size = SUBSETS.sum(axis=(1, 2))
        assert swap.needed[row] == size[turned].min()
        chosen = (swap.cells[row] == SUBSETS).all(axis=(1, 2)).argmax()
        assert turned[chosen]
        assert swap.reached[row] == mixed[chosen].argmax()
        lead = mixed.max(axis=1) - mixed[:, predicted[row]]
        assert lead[chosen] == pytest.approx(lead[size == swap.needed[row]].max())
    assert len(set(swap.needed)) > 2


def test_the_rival_that_turns_first_need_not_be_the_partners_class() -> None:
    query, partner = np.zeros((2, 1, 3, 2, 3))
    query[0, 0], query[0, 1], query[0, 2] = 1, 0.9, -3
    partner[0, 0], partner[0, 2] = 0.8, 1
    partner[0, 1, 0, 0] = 3
    swap = minimal_swap(query, partner, np.zeros(3))
    assert (swap.needed[0], swap.reached[0]) == (1, 1)
    assert swap.cells[0, 0, 0]


def test_a_partner_predicted_alike_takes_all_cells_in_vain() -> None:
    query = np.stack([np.ones((1, 2, 2)), np.zeros((1, 2, 2))], axis=1)
    swap = minimal_swap(query, query, np.zeros(2))
    assert (swap.needed[0], swap.reached[0]) == (4, 0)


def test_paste_takes_the_chosen_squares_from_the_partner_and_nothing_else() -> None:
    rng = np.random.default_rng(0)
    images, partners = rng.integers(0, 256, (2, 3, 12, 12, 3), dtype=np.uint8)
    before = images.copy()
    cells = rng.random((3, 3, 4)) < 0.5
    pasted = paste_cells(images, partners, cells)
    assert pasted.dtype == np.uint8
    for image, i, j in np.ndindex(3, 3, 4):
        part = np.s_[image, 4 * i : 4 * i + 4, 3 * j : 3 * j + 3]
        assert (pasted[part] == (partners if cells[image, i, j] else images)[part]).all()
    assert (images == before).all()


def test_a_region_is_pasted_with_a_margin_of_six_pixels_in_224() -> None:
    images, partners = np.zeros((2, 224, 224, 3), np.uint8), np.full((2, 224, 224, 3), 9, np.uint8)
    masks = np.zeros((2, 224, 224), np.uint8)
    masks[0, 100, 100] = 255
    pasted = paste_region(images, partners, masks)
    assert (pasted[0, 100, 94] == 9).all()
    assert not pasted[0, 100, 93].any()
    assert not pasted[0, 105, 105].any()
    assert not pasted[1].any()
    half = paste_region(images[:, ::2, ::2], partners[:, ::2, ::2], masks[:, ::2, ::2])[0]
    assert half[50, :, 0].sum() == 9 * 7


def test_random_cells_are_as_many_and_anywhere() -> None:
    cells = np.zeros((2000, 2, 3), bool)
    cells[:, 0] = True
    cells[0] = True
    cells[1] = False
    drawn = random_cells(cells, 0)
    assert (drawn.sum(axis=(1, 2)) == cells.sum(axis=(1, 2))).all()
    assert np.abs(drawn[2:].mean(axis=0) - 0.5).max() < 0.05
    assert (drawn == random_cells(cells, 0)).all()
    assert (drawn != random_cells(cells, 1)).any()
    assert (drawn != random_cells(cells, 0, "again")).any()
