"""Purity, consistency and stability on squares that stand still or move, and their controls."""

from typing import Any

import numpy as np
import pytest

from stages.prototypes.masks import Sources, family_prototypes, heat_figures
from stages.prototypes.parts import (
    Prototypes,
    at_cells,
    box_sums,
    consistency,
    contained_parts,
    part_figures,
    purity,
    random_cells,
)
from twincam.explanations.prototypes.best_cells import Matches
from twincam.explanations.prototypes.places import Field, nearest_cells
from twincam.files.metrics import spelled

SIZE, STRIDE, GRID = 64, 8, 8
FIELD = Field(STRIDE, STRIDE, STRIDE // 2, GRID)
N = 24
LABELS = np.arange(N) % 2
OWNER = np.repeat([0, 1], 3)


def scene(*, moving: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return parts ``[N,S,S]``, two squares of one cell each in a body, and the first's cells."""
    rng = np.random.default_rng(0)
    parts = np.zeros((N, SIZE, SIZE), np.uint8)
    first = rng.integers(1, GRID - 3, (N, 2)) if moving else np.full((N, 2), 3)
    for part, (y, x) in zip(parts, first, strict=True):
        part[(y - 1) * 8 : (y + 3) * 8, (x - 1) * 8 : (x + 3) * 8] = 3
        part[y * 8 : y * 8 + 8, x * 8 : x * 8 + 8] = 1
        part[(y + 2) * 8 : (y + 3) * 8, x * 8 : x * 8 + 8] = 2
    return parts, first


def figures(cells: np.ndarray, parts: np.ndarray, noised: np.ndarray | None = None) -> Any:
    """Return the figures of six prototypes, all at ``cells`` ``[N,2]``."""
    similar = np.random.default_rng(1).random((N, 6))
    found, shaken = (
        np.repeat(some[:, None], 6, axis=1) for some in (cells, cells if noised is None else noised)
    )
    prototypes = Prototypes(OWNER, Matches(similar, found), shaken)
    return spelled(part_figures(prototypes, parts, LABELS, FIELD, 0))


def without_body(parts: np.ndarray) -> np.ndarray:
    return np.where(parts == 3, 0, parts)


def test_a_box_lies_around_the_centre_of_its_cell() -> None:
    mask = np.zeros((1, SIZE, SIZE), bool)
    mask[0, 8:16, 24:32] = True
    sums = box_sums(mask, FIELD, STRIDE)
    assert sums[0, 1, 3] == 64
    assert sums.sum() == 64
    wider = box_sums(mask, FIELD, 10)
    assert wider[0, 1, 3] == 64
    assert wider[0, 1, 2] == wider[0, 0, 3] == 8
    assert (box_sums(np.ones_like(mask), FIELD, 10)[0, [0, 4], [0, 4]]).tolist() == [
        81,
        100,
    ]


def test_centred_objects_make_a_constant_cell_as_good_as_a_prototype() -> None:
    parts, first = scene(moving=False)
    found = figures(first, parts)
    for name in ("purity", "consistency", "stability"):
        assert found[name] == found[f"{name}_constant"] == 1
        assert found[f"{name}_over_constant"] <= 0
        assert found[f"{name}_over_constant_low"] < 0
        assert 0.5 < found[f"{name}_low"] < found[f"{name}_high"] == 1
    assert found["parts_images"] == N
    assert found["parts_prototypes"] == 6


def test_moving_objects_tell_a_prototype_from_a_constant_cell_and_from_random_pixels() -> None:
    parts, first = scene(moving=True)
    found = figures(first, without_body(parts))
    for name in ("purity", "consistency"):
        assert found[name] == 1
        for control in ("constant", "random"):
            assert found[f"{name}_{control}"] < 0.9
            assert found[f"{name}_over_{control}_low"] > 0
    assert found["stability_constant"] == 1
    assert found["stability_over_constant"] <= 0
    assert found["stability_over_random_low"] > 0


def test_a_prototype_at_random_pixels_of_the_cat_is_no_better_than_the_control() -> None:
    parts, _ = scene(moving=True)
    parts = without_body(parts)
    cells, noised = (random_cells(parts > 0, 6, FIELD, seed) for seed in (5, 6))
    similar = np.random.default_rng(1).random((N, 6))
    prototypes = Prototypes(OWNER, Matches(similar, cells), noised)
    found = spelled(part_figures(prototypes, parts, LABELS, FIELD, 0))
    for name in ("purity", "stability"):
        assert found[f"{name}_over_random_low"] <= 0.05
        assert abs(found[f"{name}_over_random"]) < 0.15


def test_boxes_and_nearest_cells_of_crops_start_inside_the_image() -> None:
    crops = Field(side=24, stride=10, first=12, cells=5)
    mask = np.zeros((1, SIZE, SIZE), bool)
    mask[0, 22:32, 50:60] = True
    expected = np.zeros((1, 5, 5))
    expected[0, 1:3, 4] = 5 * 7
    assert np.array_equal(box_sums(mask, crops, 10), expected)
    pixels = np.array([[0, 16], [17, 26], [27, 63]])
    assert nearest_cells(pixels, crops).tolist() == [[0, 0], [1, 1], [2, 4]]


def test_random_cells_lie_on_the_cat_and_repeat() -> None:
    parts, _ = scene(moving=True)
    cells = random_cells(parts > 0, 50, FIELD, 0, "x")
    held = box_sums(parts > 0, FIELD, STRIDE) > 0
    assert held[np.arange(N)[:, None], cells[..., 0], cells[..., 1]].all()
    assert np.array_equal(cells, random_cells(parts > 0, 50, FIELD, 0, "x"))
    assert not np.array_equal(cells, random_cells(parts > 0, 50, FIELD, 1, "x"))


def test_what_a_box_holds_is_a_part_and_never_the_background() -> None:
    parts, first = scene(moving=True)
    contained = contained_parts(parts, FIELD)
    assert contained.shape == (N, GRID, GRID, 3)
    there = at_cells(contained, first[:, None])[:, 0]
    assert there[:, 0].all()
    assert not there[:, 1].any()
    beside = first[:, None] + 1
    assert at_cells(contained, beside)[:, 0].tolist() == [[False, False, True]] * N
    assert not at_cells(contained_parts(without_body(parts), FIELD), beside).any()


def test_purity_is_of_the_nearest_patches_alone() -> None:
    similar = np.arange(20)[::-1, None] / 20
    inside = np.zeros((20, 1, 2), bool)
    inside[:7, 0, 0] = True
    inside[5:20, 0, 1] = True
    assert purity(similar, inside).tolist() == [0.7]
    assert purity(-similar, inside).tolist() == [1.0]
    assert purity(similar[:4], inside[:4]).tolist() == [1.0]


def test_consistency_wants_four_fifths_of_the_own_images_and_a_part_seen_often() -> None:
    own = np.repeat([True, False], 10)[:, None]
    inside = np.zeros((20, 1, 1), bool)
    inside[:8] = True
    visible = np.ones((20, 1), bool)
    assert consistency(visible, own, inside).tolist() == [True]
    inside[7] = False
    inside[10:] = True
    assert consistency(visible, own, inside).tolist() == [False]
    visible[7:10] = False
    assert consistency(visible, own, inside).tolist() == [True]
    visible[4:10] = inside[4:10] = False
    assert consistency(visible, own, inside).tolist() == [False]


def test_stability_counts_images_of_the_class_whose_parts_stay() -> None:
    parts, first = scene(moving=True)
    noised = np.where((LABELS == 0)[:, None], first, first + np.array([2, 0]))
    found = figures(first, without_body(parts), noised)
    assert found["stability"] == 0.5


def test_images_without_known_parts_are_left_out() -> None:
    parts, first = scene(moving=False)
    parts[6:] = 0
    assert figures(first, parts)["parts_images"] == 6
    parts[1::2] = 0
    assert figures(first, parts)["parts_prototypes"] == 3
    parts[:] = 0
    assert figures(first, parts) == {"parts_images": 0, "parts_prototypes": 0}


def test_part_figures_are_the_same_twice() -> None:
    parts, first = scene(moving=True)
    assert figures(first, parts) == figures(first, parts)


def heat_at(cells: np.ndarray) -> np.ndarray:
    maps = np.full((N, GRID, GRID), -0.2, np.float32)
    maps[np.arange(N), cells[:, 0], cells[:, 1]] = 0.7
    return maps


def test_heat_on_the_mask_beats_area_and_other_images_only_where_it_follows() -> None:
    parts, first = scene(moving=True)
    found = spelled(heat_figures(heat_at(first), parts == 1, FIELD, 0))
    assert found["on_mask"] == found["on_mask_random"] == 1
    assert found["on_mask_area"] == 1 / 64
    for control in ("area", "other_image", "constant"):
        assert found[f"on_mask_over_{control}_low"] > 0.5
    centred, still = scene(moving=False)
    found = spelled(heat_figures(heat_at(still), centred == 1, FIELD, 0))
    for control in ("other_image", "constant"):
        assert found[f"on_mask_{control}"] == 1
        assert found[f"on_mask_over_{control}"] <= 0


def test_heat_does_not_depend_on_the_zero_of_the_cosine() -> None:
    parts, first = scene(moving=True)
    rng = np.random.default_rng(0)
    maps = heat_at(first) + rng.normal(0, 0.1, (N, GRID, GRID))
    shifted = heat_figures(maps + 0.5, parts, FIELD, 0)
    own = heat_figures(maps, parts, FIELD, 0)
    assert shifted["on_mask"] == pytest.approx(own["on_mask"])
    assert heat_figures(maps, np.zeros_like(parts), FIELD, 0) == {"on_mask_n": 0}


FAMILIES = np.array(["", "ear"] * 12 + ["", "tail"] * 12)
ROWS = np.arange(100, 148)


def family_case(**changes: Any) -> dict[str, Any]:
    """Two prototypes: of an ear, on its defect and near ears; of a tail, alike."""
    similar = np.random.default_rng(0).random((48, 2)) * 0.5
    similar[FAMILIES == "ear", 0] += 0.5
    similar[FAMILIES == "tail", 1] += 0.5
    defects = np.zeros((2, SIZE, SIZE), np.uint8)
    defects[:, 16:24, 16:24] = 1
    cats = np.zeros((2, SIZE, SIZE), np.uint8)
    cats[:, 8:40, 8:40] = 1
    base: dict[str, Any] = {
        "similar": similar,
        "families": FAMILIES,
        "rows": ROWS,
        "field": FIELD,
    }
    sources = {"patches": np.array([[101, 2, 2], [125, 2, 2]]), "defects": defects, "cats": cats}
    own = {name: changes.pop(name, value) for name, value in sources.items()}
    return spelled(family_prototypes(**base | changes, sources=Sources(**own)))


def test_each_family_with_a_prototype_on_its_defect_is_found() -> None:
    found = family_case()
    assert (found["found_n"], found["found_count"], found["found"]) == (2, 2, 1)
    assert found["by_family"]["ear"] == {
        "n": 12,
        "from_family": 1,
        "on_defect": 1,
        "prototypes": [0],
    }
    # boxes of 9 px reach the defect from four cells: of 16 of the cat, of 64 of the image
    assert found["found_random"] == 4 / 16
    assert family_case(cats=np.zeros((2, SIZE, SIZE)))["found_random"] == 4 / 64


def test_a_source_off_the_defect_or_foreign_neighbours_find_no_family() -> None:
    off = family_case(patches=np.array([[101, 2, 2], [125, 5, 5]]))
    assert off["found_count"] == 1
    assert off["by_family"]["tail"]["on_defect"] == 0
    similar = np.random.default_rng(0).random((48, 2)) * 0.5
    similar[FAMILIES == "", :] += 0.5
    foreign = family_case(similar=similar)
    assert foreign["found_count"] == 0
    assert foreign["found_random"] == 0
    assert foreign["by_family"]["ear"]["on_defect"] == 1


def test_a_source_is_not_its_own_neighbour() -> None:
    similar = np.zeros((48, 2))
    similar[FAMILIES == "", :] = 0.5
    ears = np.flatnonzero(FAMILIES == "ear")
    similar[ears[:5], 0] = 0.9
    assert "prototypes" not in family_case(similar=similar)["by_family"]["ear"]
    similar[ears[5], 0] = 0.9
    assert family_case(similar=similar)["by_family"]["ear"]["prototypes"] == [0]


def test_prototypes_without_a_family_count_for_none() -> None:
    found = family_case(patches=np.array([[100, 2, 2], [124, 2, 2]]))
    assert found["found_count"] == 0
    assert family_case(families=np.full(48, "")) == {"found_n": 0}
