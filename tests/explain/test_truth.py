"""The pointing game counts right, and its controls are what they say."""

import numpy as np
import pytest

from stages.explain.pointing import peaks, pointing_game, targets

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
    assert figures["pointing_game"] == 1
    assert figures["pointing_game_n"] == 6
    assert figures["pointing_game_other_image"] == 0
    assert figures["pointing_game_best_fixed_point"] == pytest.approx(1 / 6)
    assert figures["pointing_game_uniform"] == pytest.approx(targets(masks).mean())
    over = figures["pointing_game_over_other_image"]
    assert (over["difference"], over["low"], over["high"]) == (1, 1, 1)

    constant = np.stack([peak_map(0, 0)] * 6)
    figures = pointing_game(constant, masks, seed=0)
    assert figures["pointing_game"] == pytest.approx(1 / 6)
    assert figures["pointing_game_over_other_image"]["difference"] == pytest.approx(0)
    assert figures["pointing_game_over_best_fixed_point"]["low"] <= 0


def test_a_constant_map_looks_good_on_centred_objects_and_the_control_says_so() -> None:
    masks = np.stack([square(100, 100)] * 5)
    figures = pointing_game(np.stack([peak_map(3, 3)] * 5), masks, seed=0)
    assert figures["pointing_game"] == 1
    assert figures["pointing_game_best_fixed_point"] == 1
    assert figures["pointing_game_over_best_fixed_point"]["difference"] == 0
