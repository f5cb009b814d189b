"""Swaps are minimal, pastes land where they should, and controls know nothing."""

from itertools import product

import numpy as np
import pytest
from scipy import stats

from stages.explain.counterfactuals import (
    DRAWS,
    Swap,
    cell_pixels,
    defect_figures,
    flip_figures,
    minimal_swap,
    paste_cells,
    paste_region,
    random_cells,
    region_figures,
    semifactuals,
    touched,
)
from twincam.statistics.intervals import paired_difference

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


def test_cells_cover_their_share_of_the_image_and_no_pixel_twice() -> None:
    corner = np.zeros((1, 7, 7), bool)
    corner[0, 1, 6] = True
    square = cell_pixels(corner, 224)[0]
    assert square[32:64, 192:].all()
    assert square.sum() == 32 * 32
    each = np.eye(35, dtype=bool).reshape(35, 7, 5)
    squares = cell_pixels(each, 96)
    assert (squares.sum(axis=0) == 1).all()
    first = [int(rows.any(axis=1).argmax()) for rows in squares[::5]]
    assert first == [int(np.ceil(i * 96 / 7)) for i in range(7)]
    assert (touched(squares, 7, 5) == each).all()


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


def bright(images: np.ndarray) -> np.ndarray:
    """Judge class 1 where the upper left 8 pixels of 32 are bright in more than half."""
    share = (images[:, :8, :8, 0] > 100).mean(axis=(1, 2))
    return np.stack([np.full(len(images), 0.5), share], axis=1)


def test_flips_of_cells_that_matter_stand_beside_random_ones() -> None:
    dark, light = np.zeros((40, 32, 32, 3), np.uint8), np.full((1, 32, 32, 3), 255, np.uint8)
    images = np.concatenate([dark, light])
    cells = np.zeros((40, 4, 4), bool)
    cells[:30, 0, 0] = True
    cells[30:, 3, 3] = True
    swap = Swap(cells, np.r_[np.full(10, 3), np.ones(30, int)], np.ones(40, int))
    queries, partners = np.arange(40), np.full(40, 40)
    figures = flip_figures(bright, images, queries, partners, swap, np.zeros(40, int), 0)
    wilson = stats.binomtest(30, 40).proportion_ci(method="wilson")
    assert figures["n"] == 40
    assert figures["cells_median"] == figures["cells_median_low"] == 1
    assert figures["image_flip_rate"] == 0.75
    assert (figures["image_flip_rate_low"], figures["image_flip_rate_high"]) == pytest.approx(
        (wilson.low, wilson.high)
    )
    chance = figures["image_flip_rate_random"]
    assert abs(chance - 1 / 16) < 3 * np.sqrt(1 / 16 / (40 * DRAWS))
    over = figures["image_flip_rate_over_random"]
    assert over["difference"] == pytest.approx(0.75 - chance)
    assert 0.4 < over["low"] < over["difference"] < over["high"]
    again = flip_figures(bright, images, queries, partners, swap, np.zeros(40, int), 0)
    assert again == figures
    assert flip_figures(bright, images, queries[:0], partners[:0], swap, queries[:0], 0) == {"n": 0}


def test_every_query_is_pasted_from_its_own_partner_and_compared_with_its_own_prediction() -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (90, 1, 1, 3), dtype=np.uint8).repeat(16, 1).repeat(16, 2)
    queries, partners = rng.permutation(90)[:50], rng.permutation(90)[:50]
    cells = np.zeros((50, 2, 2), bool)
    cells[::2, 0, 0] = cells[1::2, 1, 1] = True
    swap = Swap(cells, np.ones(50, int), np.zeros(50, int))
    said = bright(images).argmax(axis=1)
    predicted = said[queries]
    figures = flip_figures(bright, images, queries, partners, swap, predicted, 0)
    turned = said[partners] != predicted
    assert figures["image_flip_rate"] == turned[::2].sum() / 50
    assert 0.1 < figures["image_flip_rate"] < 0.4
    cells[:] = True
    figures = flip_figures(bright, images, queries, partners, swap, predicted, 0)
    assert figures["image_flip_rate"] == turned.mean()
    assert figures["image_flip_rate_over_random"]["difference"] == 0


def test_the_median_has_the_interval_of_order_statistics() -> None:
    counts = np.random.default_rng(0).permutation(np.arange(1, 101))
    cells = np.ones((100, 1, 1), bool)
    swap = Swap(cells, counts, counts)
    images, rows = np.zeros((100, 8, 8, 3), np.uint8), np.arange(100)
    figures = flip_figures(bright, images, rows, rows, swap, rows * 0, 0)
    low, high = figures["cells_median_low"], figures["cells_median_high"]
    assert (low, figures["cells_median"], high) == (40, 50.5, 61)
    outside = stats.binom.cdf(low - 1, 100, 0.5)
    assert outside <= 0.025 < stats.binom.cdf(low, 100, 0.5)


def disc_masks(cells: list[tuple[int, int]]) -> np.ndarray:
    masks = np.zeros((len(cells), 224, 224), np.uint8)
    for mask, (row, column) in zip(masks, cells, strict=True):
        mask[row * 32 + 16, column * 32 + 16] = 255
    return masks


def test_cells_on_the_defect_against_random_cells_and_those_of_other_images() -> None:
    places = [(0, 0), (1, 5), (2, 3), (6, 1), (5, 6)]
    cells = np.zeros((6, 7, 7), bool)
    for image, place in enumerate(places, 1):
        cells[image][place] = True
    cells[0] = True
    masks = np.concatenate([np.zeros((1, 224, 224), np.uint8), disc_masks(places)])
    figures = defect_figures(cells, masks, 0)
    assert figures["cells_on_defect_n"] == 5
    assert figures["cells_on_defect"] == 1
    assert figures["cells_on_defect_random"] == pytest.approx(1 / 49)
    assert figures["cells_on_defect_other_image"] == 0
    over = figures["cells_on_defect_over_other_image"]
    assert over["difference"] == 1
    assert 0.4 < over["low"] < over["high"] == 1
    assert defect_figures(cells[:2], masks[:2], 0) == {"cells_on_defect_n": 1}


def test_half_of_the_cells_within_tolerance_are_enough_and_fewer_are_not() -> None:
    masks = disc_masks([(3, 3), (3, 3)])
    masks[1] = np.roll(masks[1], 2, axis=1)
    cells = np.zeros((2, 7, 7), bool)
    cells[0, 3, 3] = cells[0, 0, 0] = True
    cells[1, 3, 3] = cells[1, 3, 4] = cells[1, 0, 0] = cells[1, 0, 1] = True
    assert defect_figures(cells, masks, 0)["cells_on_defect"] == 1
    beyond = cells.copy()
    beyond[1, 3, 4], beyond[1, 3, 2] = False, True
    assert defect_figures(beyond, masks, 0)["cells_on_defect"] == 0.5


def test_a_swap_of_the_only_cell_lies_on_no_defect() -> None:
    masks = disc_masks([(0, 0), (1, 5), (2, 3)])
    assert defect_figures(np.ones((3, 1, 1), bool), masks, 0) == {"cells_on_defect_n": 3}


def test_random_cells_on_a_defect_are_counted_in_expectation() -> None:
    masks = disc_masks([(3, 3), (1, 1)])
    masks[0, 96:160, 96:160] = 255
    near = touched(masks > 0, 7, 7).sum(axis=(1, 2))
    assert near.tolist() == [4, 1]
    cells = np.zeros((2, 7, 7), bool)
    cells[:, 0, :3] = True
    many = np.repeat(cells, 20_000, axis=0)
    target = np.repeat(touched(np.pad(masks, 0) > 0, 7, 7), 20_000, axis=0)
    target[:20_000] = False
    target[:20_000, 2:6, 2:6] = True
    hits = 2 * (random_cells(many, 0) & target).sum(axis=(1, 2)) >= 3
    figures = defect_figures(cells, masks, 0)
    assert figures["cells_on_defect_random"] == pytest.approx(hits.mean(), abs=0.01)


def test_blind_cells_are_no_better_than_their_controls() -> None:
    rng = np.random.default_rng(0)
    masks = disc_masks([(int(row), int(column)) for row, column in rng.integers(0, 7, (200, 2))])
    wide = np.stack([np.kron(mask[16::32, 16::32], np.ones((32, 32))) for mask in masks])
    cells = np.zeros((200, 7, 7), bool)
    cells[:, :2, :2] = True
    figures = defect_figures(random_cells(cells, 0), wide, 0)
    assert 0 < figures["cells_on_defect_random"] < 0.5
    for control in ("random", "other_image"):
        over = figures[f"cells_on_defect_over_{control}"]
        assert over["low"] < 0 < over["high"]


def test_mending_the_defect_turns_what_mending_elsewhere_does_not() -> None:
    images = np.zeros((20, 32, 32, 3), np.uint8)
    images[:10, :8, :8] = 255
    masks = np.zeros((10, 32, 32), np.uint8)
    masks[:, 1:7, 1:7] = 255
    rows = np.arange(10)
    figures = region_figures(bright, images, rows, rows + 10, masks, np.ones(10, int), 0)
    assert figures["region_n"] == 10
    assert figures["region_flip_rate"] == 1
    assert figures["region_flip_rate_rolled"] == 0
    over = figures["region_flip_rate_over_rolled"]
    assert (over["difference"], over["high"]) == (1, 1)
    assert 0.5 < over["low"] < 1
    everywhere = np.full_like(masks, 255)
    figures = region_figures(bright, images, rows, rows + 10, everywhere, np.ones(10, int), 0)
    assert figures["region_flip_rate_over_rolled"]["difference"] == 0
    none = region_figures(bright, images, rows[:0], rows[:0], masks[:0], rows[:0], 0)
    assert none == {"region_n": 0}


def test_a_paired_difference_is_narrow_where_images_agree_and_never_without_width() -> None:
    rng = np.random.default_rng(0)
    first = rng.random(100) < 0.5
    second = first.copy()
    second[:4] = ~second[:4]
    found = paired_difference(first, second, 0)
    assert found["high"] - found["low"] < 0.1
    same = paired_difference(first, first, 0)
    assert same["difference"] == 0
    assert -0.05 < same["low"] < 0 < same["high"] < 0.05


def test_the_semifactual_is_next_to_the_counterfactual_but_nearer_and_predicted_alike() -> None:
    similarity = np.array([[0.9, 0.8, 0.5, 0.7, 0.6, 0.7]] * 5)
    partner = np.array([[0.1, 0.3, 0.9, 1.0, 0.4, 0.9]] * 5)
    allowed = np.array([[True, True, True, False, False, True]] * 5)
    allowed[1, 1] = allowed[2, :2] = allowed[4] = False
    index, value = semifactuals(similarity, partner, np.array([3, 3, 3, -1, 3]), allowed)
    assert index.tolist() == [1, 0, -1, -1, -1]
    assert value[:2].tolist() == [0.8, 0.9]
    assert np.isnan(value[2:]).all()
