"""Swaps are evaluated in the image and against known defects, with image-independent controls."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from stages.explain.counterfactuals import (
    counterfactual_figures,
    find_counterfactuals,
    find_semifactuals,
    find_swaps,
    paired,
    true_partners,
)
from stages.explain.pasting import (
    DRAWS,
    Pairs,
    defect_figures,
    flip_figures,
    pasted_flips,
    region_figures,
)
from stages.explain.run import Run
from stages.explain.twins import Search, Twins, all_searches
from tests.explain.runs import EVALUATED, TRAIN, tiny_run
from twincam.explanations.counterfactuals import Swap, random_cells
from twincam.explanations.maps import cells_of_pixels
from twincam.explanations.twins.neighbours import looked_up
from twincam.files.metrics import spelled


@pytest.fixture(scope="module")
def run() -> Run:
    return tiny_run()


def bright(images: np.ndarray) -> np.ndarray:
    """Predict class 1 where the upper left 8 pixels of 32 are bright in more than half."""
    share = (images[:, :8, :8, 0] > 100).mean(axis=(1, 2))
    return np.stack([np.full(len(images), 0.5), share], axis=1)


def flips(images: np.ndarray, pairs: Pairs, swap: Swap) -> dict[str, Any]:
    hits = pasted_flips(bright, images, pairs, swap.cells)
    return spelled(flip_figures(bright, images, pairs, swap, hits, 0))


def on_defect(cells: np.ndarray, masks: np.ndarray) -> dict[str, Any]:
    return spelled(defect_figures(cells, masks, 0))


def repairs(images: np.ndarray, pairs: Pairs, masks: np.ndarray) -> dict[str, Any]:
    return spelled(region_figures(bright, images, pairs, masks, 0))


def test_flips_of_cells_that_matter_stand_beside_random_ones() -> None:
    dark, light = np.zeros((40, 32, 32, 3), np.uint8), np.full((1, 32, 32, 3), 255, np.uint8)
    images = np.concatenate([dark, light])
    cells = np.zeros((40, 4, 4), bool)
    cells[:30, 0, 0] = True
    cells[30:, 3, 3] = True
    swap = Swap(cells, np.r_[np.full(10, 3), np.ones(30, int)], np.ones(40, int))
    queries, partners = np.arange(40), np.full(40, 40)
    figures = flips(images, Pairs(queries, partners, np.zeros(40, int)), swap)
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
    assert over == pytest.approx(0.75 - chance)
    low, high = (figures[f"image_flip_rate_over_random_{end}"] for end in ("low", "high"))
    assert 0.4 < low < over < high
    again = flips(images, Pairs(queries, partners, np.zeros(40, int)), swap)
    assert again == figures
    assert flips(images, Pairs(queries[:0], partners[:0], queries[:0]), swap) == {"n": 0}


def test_every_query_is_pasted_from_its_own_partner_and_compared_with_its_own_prediction() -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (90, 1, 1, 3), dtype=np.uint8).repeat(16, 1).repeat(16, 2)
    queries, partners = rng.permutation(90)[:50], rng.permutation(90)[:50]
    cells = np.zeros((50, 2, 2), bool)
    cells[::2, 0, 0] = cells[1::2, 1, 1] = True
    swap = Swap(cells, np.ones(50, int), np.zeros(50, int))
    said = bright(images).argmax(axis=1)
    predicted = said[queries]
    figures = flips(images, Pairs(queries, partners, predicted), swap)
    turned = said[partners] != predicted
    assert figures["image_flip_rate"] == turned[::2].sum() / 50
    assert 0.1 < figures["image_flip_rate"] < 0.4
    cells[:] = True
    figures = flips(images, Pairs(queries, partners, predicted), swap)
    assert figures["image_flip_rate"] == turned.mean()
    assert figures["image_flip_rate_over_random"] == 0


def test_the_median_has_the_interval_of_order_statistics() -> None:
    counts = np.random.default_rng(0).permutation(np.arange(1, 101))
    cells = np.ones((100, 1, 1), bool)
    swap = Swap(cells, counts, counts)
    images, rows = np.zeros((100, 8, 8, 3), np.uint8), np.arange(100)
    figures = flips(images, Pairs(rows, rows, rows * 0), swap)
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
    figures = on_defect(cells, masks)
    assert figures["cells_on_defect_n"] == 5
    assert figures["cells_on_defect"] == 1
    assert figures["cells_on_defect_random"] == pytest.approx(1 / 49)
    assert figures["cells_on_defect_other_image"] == 0
    assert figures["cells_on_defect_over_other_image"] == 1
    assert 0.4 < figures["cells_on_defect_over_other_image_low"] < 1
    assert figures["cells_on_defect_over_other_image_high"] == 1
    assert on_defect(cells[:2], masks[:2]) == {"cells_on_defect_n": 1}


def test_half_of_the_cells_within_tolerance_are_enough_and_fewer_are_not() -> None:
    masks = disc_masks([(3, 3), (3, 3)])
    masks[1] = np.roll(masks[1], 2, axis=1)
    cells = np.zeros((2, 7, 7), bool)
    cells[0, 3, 3] = cells[0, 0, 0] = True
    cells[1, 3, 3] = cells[1, 3, 4] = cells[1, 0, 0] = cells[1, 0, 1] = True
    assert on_defect(cells, masks)["cells_on_defect"] == 1
    fewer = cells.copy()
    fewer[1, 3, 4], fewer[1, 3, 2] = False, True
    assert on_defect(fewer, masks)["cells_on_defect"] == 0.5


def test_a_swap_of_the_only_cell_lies_on_no_defect() -> None:
    masks = disc_masks([(0, 0), (1, 5), (2, 3)])
    assert on_defect(np.ones((3, 1, 1), bool), masks) == {"cells_on_defect_n": 3}


def test_random_cells_on_a_defect_are_counted_in_expectation() -> None:
    masks = disc_masks([(3, 3), (1, 1)])
    masks[0, 96:160, 96:160] = 255
    near = cells_of_pixels(masks > 0, 7, 7).sum(axis=(1, 2))
    assert near.tolist() == [4, 1]
    cells = np.zeros((2, 7, 7), bool)
    cells[:, 0, :3] = True
    many = np.repeat(cells, 20_000, axis=0)
    target = np.repeat(cells_of_pixels(np.pad(masks, 0) > 0, 7, 7), 20_000, axis=0)
    target[:20_000] = False
    target[:20_000, 2:6, 2:6] = True
    hits = 2 * (random_cells(many, 0) & target).sum(axis=(1, 2)) >= 3
    figures = on_defect(cells, masks)
    assert figures["cells_on_defect_random"] == pytest.approx(hits.mean(), abs=0.01)


def test_blind_cells_are_no_better_than_their_controls() -> None:
    rng = np.random.default_rng(0)
    masks = disc_masks([(int(row), int(column)) for row, column in rng.integers(0, 7, (200, 2))])
    wide = np.stack([np.kron(mask[16::32, 16::32], np.ones((32, 32))) for mask in masks])
    cells = np.zeros((200, 7, 7), bool)
    cells[:, :2, :2] = True
    figures = on_defect(random_cells(cells, 0), wide)
    assert 0 < figures["cells_on_defect_random"] < 0.5
    for control in ("random", "other_image"):
        over = f"cells_on_defect_over_{control}"
        assert figures[f"{over}_low"] < 0 < figures[f"{over}_high"]


def test_repairing_the_defect_turns_what_pasting_elsewhere_does_not() -> None:
    images = np.zeros((20, 32, 32, 3), np.uint8)
    images[:10, :8, :8] = 255
    masks = np.zeros((10, 32, 32), np.uint8)
    masks[:, 1:7, 1:7] = 255
    rows = np.arange(10)
    pairs = Pairs(rows, rows + 10, np.ones(10, int))
    figures = repairs(images, pairs, masks)
    assert figures["region_n"] == 10
    assert figures["region_flip_rate"] == 1
    assert figures["region_flip_rate_rolled"] == 0
    over = "region_flip_rate_over_rolled"
    assert (figures[over], figures[f"{over}_high"]) == (1, 1)
    assert 0.5 < figures[f"{over}_low"] < 1
    everywhere = np.full_like(masks, 255)
    figures = repairs(images, pairs, everywhere)
    assert figures["region_flip_rate_over_rolled"] == 0
    none = repairs(images, Pairs(rows[:0], rows[:0], rows[:0]), masks[:0])
    assert none == {"region_n": 0}


def test_a_true_partner_is_the_one_other_of_its_group_with_another_label() -> None:
    table = pd.DataFrame({"group": list("aabbccc"), "label": list("xyxxxyy")})
    assert true_partners(table).tolist() == [1, 0, -1, -1, -1, -1, -1]


def test_swaps_turn_the_pooled_prediction_and_are_those_of_the_nearest_unlike(run: Run) -> None:
    predicted = run.table["predicted"].to_numpy()
    assert len(set(predicted[TRAIN])) > 1
    space = "features_cosine"
    search = all_searches(run, 100)[space]
    similarity = search.compare(slice(None), slice(None))
    twins = Twins(space, search, np.zeros((4, 2, 2), np.float32), {}, {})
    found = find_counterfactuals(run, twins, 0)
    partners = found.neighbours["counterfactual"][0][:, 0]
    unlike = predicted[EVALUATED, None] != predicted[TRAIN]
    assert partners.tolist() == np.where(unlike, similarity, -np.inf).argmax(axis=1).tolist()
    exist, swap = find_swaps(run, partners)
    classes = np.array(run.network.classes)
    assert exist.all()
    assert (classes[swap.reached] != predicted[EVALUATED]).all()
    assert (found.arrays["swapped"] == swap.cells).all()
    figures = found.metrics["counterfactual"]
    assert figures["n"] == 4
    assert found.arrays["flips"].mean() == figures["image_flip_rate"].value


def test_without_a_counterfactual_nothing_is_swapped(run: Run) -> None:
    exist, swap = find_swaps(run, np.full(4, -1))
    assert not exist.any()
    assert len(swap.cells) == 0
    assert counterfactual_figures(run, np.full(4, -1), swap, np.zeros(0), 0)["n"] == 0
    alike = run._replace(table=run.table.assign(predicted="a"))
    twins = Twins("maps", all_searches(run, 100)["maps"], np.zeros((4, 2, 2), np.float32), {}, {})
    found = find_counterfactuals(alike, twins, 0)
    assert not found.arrays["swapped"].any()
    assert (found.arrays["flips"] == -1).all()


def test_a_semifactual_is_predicted_alike_and_lies_towards_the_counterfactual() -> None:
    similarity = np.array([[0.9, 0.8, 0.5, 0.7, 0.6, 0.7]] * 3)
    among = np.zeros((6, 6))
    among[3] = [0.1, 0.3, 0.9, 1.0, 0.4, 0.9]
    search = Search(looked_up(similarity), looked_up(among), 100)
    counterfactuals = np.array([[3], [3], [-1]]), np.array([[0.7], [0.95], [np.nan]])
    predicted = np.array(list("aaabba"))
    index, value = find_semifactuals(search, counterfactuals, np.array(list("aaa")), predicted)
    assert index.tolist() == [[1], [-1], [-1]]
    assert value[0, 0] == 0.8
    assert np.isnan(value[1:]).all()


def test_semifactuals_of_a_run_are_those_of_all_similarities(run: Run) -> None:
    predicted = run.table["predicted"].to_numpy()
    for space, search in all_searches(run, 100).items():
        twins = Twins(space, search, np.zeros((4, 2, 2), np.float32), {}, {})
        found = find_counterfactuals(run, twins, 0).neighbours
        near, among = (
            compare(slice(None), slice(None))
            for compare in (search.compare, search.compare_references)
        )
        for query, (partner, semifactual) in enumerate(
            zip(found["counterfactual"][0][:, 0], found["semifactual"][0][:, 0], strict=True)
        ):
            alike = predicted[EVALUATED[query]] == predicted[TRAIN]
            ranked = np.where(alike & (near[query] > near[query, partner]), among[partner], -np.inf)
            assert semifactual == (ranked.argmax() if ranked.max() > -np.inf else -1), space


def test_pairs_are_compared_each_with_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stages.explain.counterfactuals.BATCH", 2)
    similarity = np.random.default_rng(0).random((7, 5))
    columns = np.array([4, 0, 0, 3, 2, 1, 4])
    assert paired(looked_up(similarity), columns).tolist() == [
        similarity[row, column] for row, column in enumerate(columns)
    ]
