"""The pointing game counts right, and its controls are what they say."""

import numpy as np
import pytest

from twincam.explanations.localisation import (
    cells_near,
    coverage,
    energy,
    energy_inside,
    localisation,
    of_other_images,
    overlap,
    peaks,
    pixel_precision,
    pointing_game,
    pointing_hits,
    targets,
)
from twincam.statistics.intervals import wilson

SIZE = 224


def square(y: int, x: int, side: int = 20) -> np.ndarray:
    mask = np.zeros((SIZE, SIZE), np.uint8)
    mask[y : y + side, x : x + side] = 255
    return mask


def peak_map(row: int, column: int) -> np.ndarray:
    heat = np.zeros((7, 7), np.float32)
    heat[row, column] = 1
    return heat


def test_peak_is_the_centre_of_the_largest_cell() -> None:
    assert peaks(np.stack([peak_map(0, 0), peak_map(6, 3)]), SIZE).tolist() == [
        [16, 16],
        [208, 112],
    ]


def test_between_cells_the_peak_is_that_of_the_parabola() -> None:
    row, column = np.mgrid[:7, :7]
    inside = -((row - 3.3) ** 2) - 2 * (column - 1.8) ** 2
    at_the_border = -((row + 0.4) ** 2) - (column - 4.2) ** 2
    flat = np.ones((7, 7))
    beside_the_border = -((row - 0.7) ** 2) - (column - 1.3) ** 2
    found = peaks(np.stack([inside, at_the_border, flat, beside_the_border]), SIZE)
    assert found[:3].tolist() == [[int(3.8 * 32), int(2.3 * 32)], [16, int(4.7 * 32)], [16, 16]]
    assert found[3].tolist() == [int(1.2 * 32), int(1.8 * 32)]


def test_tolerance_is_15_pixels_of_224() -> None:
    target = targets(square(100, 100, 1)[None])[0]
    assert target[100, 115]
    assert not target[100, 116]
    assert not target[111, 111]
    assert targets(np.pad(square(100, 100, 1), (0, SIZE))[None])[0][100, 130]


def test_perfect_and_blind_maps() -> None:
    cells = [(0, 0), (1, 5), (2, 3), (6, 1), (5, 6), (4, 3)]
    masks = np.stack([square(row * 32 + 6, column * 32 + 6) for row, column in cells])
    perfect = np.stack([peak_map(*cell) for cell in cells])
    figures = pointing_game(perfect, masks, seed=0)
    assert figures["pointing_game"].value == 1
    assert figures["pointing_game"].n == 6
    assert figures["pointing_game"][1:3] == pytest.approx(wilson(6, 6))
    assert figures["pointing_game_other_image"].value == 0
    assert figures["pointing_game_best_fixed_point"].value == pytest.approx(1 / 6)
    assert figures["pointing_game_uniform"].value == pytest.approx(targets(masks).mean())
    over = figures["pointing_game_over_other_image"]
    assert over.value == over.high == 1
    assert 0.5 < over.low < 1

    constant = np.stack([peak_map(0, 0)] * 6)
    figures = pointing_game(constant, masks, seed=0)
    assert figures["pointing_game"].value == pytest.approx(1 / 6)
    assert figures["pointing_game_over_other_image"].value == pytest.approx(0)
    assert figures["pointing_game_over_best_fixed_point"].low <= 0


def test_a_constant_map_looks_good_on_centred_objects_and_the_control_says_so() -> None:
    masks = np.stack([square(100, 100)] * 5)
    figures = pointing_game(np.stack([peak_map(3, 3)] * 5), masks, seed=0)
    assert figures["pointing_game"].value == 1
    assert figures["pointing_game_best_fixed_point"].value == 1
    assert figures["pointing_game_over_best_fixed_point"].value == 0


def test_cells_count_by_the_share_that_the_mask_fills() -> None:
    masks = np.stack([square(0, 0, 32), square(16, 16, 32)])
    covered = coverage(masks, 7, 7)
    assert covered[0, 0, 0] == 1
    assert covered[0].sum() == 1
    assert covered[1, :2, :2] == pytest.approx(0.25)
    odd = coverage(np.ones((1, 10, 10), np.uint8), 3, 4)
    assert odd == pytest.approx(1)


def test_energy_is_what_cells_allow() -> None:
    masks = np.stack([square(48, 48, 32), square(112, 112, 32)])
    best = np.stack([peak_map(1, 1), peak_map(3, 3)])
    figures = energy(best, masks, seed=0)
    assert figures["energy_inside"].value == pytest.approx((0.25 + 0.25) / 2)
    assert figures["energy_in_mask"].value == pytest.approx(1 / 2 + 1 / 2)
    assert figures["energy_inside_uniform"].value == pytest.approx(32 * 32 / SIZE**2)
    assert figures["energy_in_mask_other_image"].value == 0
    cold = energy(-best, masks, seed=0)
    assert cold["energy_inside"].value == 0
    assert energy(best - 9 * best[::-1], masks, seed=0)["energy_inside"].value == 0.25


def test_every_map_is_held_against_every_mask() -> None:
    masks = np.stack([square(0, 0, 32), square(64, 64, 64)])
    maps = np.stack([peak_map(0, 0), peak_map(2, 2) + peak_map(6, 6), -peak_map(2, 2)])
    inside = energy_inside(maps, coverage(masks, 7, 7))
    assert inside.tolist() == [[1, 0, 0], [0, 0.5, 0]]
    assert pointing_hits(maps, targets(masks)).tolist() == [[1, 0, 1], [0, 1, 0]]
    assert of_other_images(np.array([[1, 0, 0], [0, 0, 1], [1, 1, 0]])).tolist() == [0, 0.5, 1]


def test_cells_near_a_mask_hold_a_pixel_within_tolerance() -> None:
    near = cells_near(square(112, 112, 1)[None], 7, 7)[0]
    assert near.sum() == 1
    assert near[3, 3]
    corner = cells_near(square(96, 96, 1)[None], 7, 7)[0]
    assert np.argwhere(corner).tolist() == [[2, 2], [2, 3], [3, 2], [3, 3]]


def test_precision_is_1_where_heat_is_the_mask_and_near_its_area_where_it_is_elsewhere() -> None:
    masks = np.stack([square(0, 32, 32)] * 2)
    found = pixel_precision(np.stack([peak_map(0, 1), peak_map(6, 6)]), masks)
    area = 32**2 / SIZE**2
    assert found[0] > 0.9
    assert found[1] < 1.5 * area
    nothing = np.full(2, "")
    figures = localisation(np.stack([peak_map(0, 1)] * 2), masks, nothing, 0)
    assert figures["pixel_precision"].value == pytest.approx(found[0])


def test_overlap_is_intersection_over_union_at_the_threshold() -> None:
    heat = np.zeros((2, 7, 7), np.float32)
    heat[:, 2:5, 2:5] = 1
    masks = np.stack([square(64, 64, 96)] * 2)
    figures = overlap(heat, masks)
    assert 0.8 < figures["iou"] <= figures["iou_best"] <= 1
    assert figures["iou_best_threshold"] == pytest.approx(0.5, abs=0.11)
    assert overlap(heat, np.stack([square(0, 0, 32)] * 2))["iou"] == 0


def test_families_are_told_apart() -> None:
    masks = np.stack([square(6, 6), square(102, 102), square(198, 198)])
    maps = np.stack([peak_map(0, 0), peak_map(3, 3), peak_map(0, 0)])
    figures = localisation(maps, masks, np.array(["ear", "tail", "ear"]), seed=0)
    assert figures["by_family"]["ear"]["pointing_game"].value == 0.5
    assert figures["by_family"]["ear"]["n"] == 2
    assert figures["by_family"]["tail"]["pointing_game"].value == 1
    assert figures["pointing_game"].value == pytest.approx(2 / 3)
    assert figures["pointing_game_n"] == 3


def test_without_a_truth_only_blank_maps_are_counted() -> None:
    nothing = np.zeros((3, SIZE, SIZE), np.uint8)
    maps = np.stack([peak_map(0, 0), -peak_map(0, 0), peak_map(1, 1)])
    figures = localisation(maps, nothing, np.array([""] * 3), seed=0)
    assert figures == {"blank_fraction": pytest.approx(1 / 3), "n": 3}


def test_maps_of_one_cell_claim_no_place() -> None:
    maps = np.ones((6, 1, 1), np.float32)
    maps[0] = -1
    masks = np.stack([square(102, 102)] * 6)
    figures = localisation(maps, masks, np.full(6, "ear"), seed=0)
    assert figures == {"blank_fraction": pytest.approx(1 / 6), "n": 6, "one_cell": True}
