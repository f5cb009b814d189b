"""Distinct prototypes, sparse decisions, deletion and re-compression, each beside its control."""

from typing import Any

import numpy as np
import pytest

from stages.prototypes.deletion import Drops, deletion_figures, logit_drops
from stages.prototypes.interpretability import (
    distinctiveness,
    kept_figures,
    sparsity,
    top_prototypes,
)
from twincam.explanations.prototypes.contributions import LastLayer
from twincam.explanations.prototypes.deletion import blur_squares, square_side

RNG = np.random.default_rng
OWNER = np.repeat([0, 1], 4)


def test_the_top_prototype_is_live_and_of_the_predicted_class() -> None:
    similar = np.array([[0.9, 0.5, 1.0], [-0.2, 0.5, 1.0], [-0.5, 0.1, 0.0]])
    predicted = np.array([0, 1, 0])

    def top(*weight: float) -> list[int]:
        layer = LastLayer(np.array([0, 0, 1]), np.array(weight), np.zeros(2))
        return top_prototypes(similar, layer, predicted).tolist()

    assert top(1.0, 3.0, 9.0) == [1, 2, 1]
    assert top(1.0, 0.0, 9.0) == [0, 2, 0]
    assert top(1.0, 3.0, 0.0)[1] == 2


def spread_cells(n: int = 30) -> np.ndarray:
    return RNG(0).integers(0, 12, (n, 8, 2))


def distinct(vectors: np.ndarray, cells: np.ndarray, owner: np.ndarray = OWNER) -> dict[str, Any]:
    return distinctiveness(vectors, cells, np.arange(len(cells)) % 2, owner, 0)


def test_alike_prototypes_at_one_place_are_not_distinct() -> None:
    vectors = np.repeat(np.eye(2), 4, axis=0) * 3
    cells = np.repeat(spread_cells()[:, :1], 8, axis=1)
    found = distinct(vectors, cells)
    assert found["cosine"].value == pytest.approx(1)
    assert found["cosine_other_classes"].value == 0
    assert found["coincidence"].value == 1
    assert found["coincidence_over_other_image"].low > 0.5


def test_orthogonal_prototypes_anywhere_coincide_as_chance_has_it() -> None:
    found = distinct(np.eye(8), spread_cells())
    assert found["cosine"].value == found["cosine_other_classes"].value == 0
    assert (found["cosine_n"], found["coincidence_n"]) == (8, 30)
    over = found["coincidence_over_other_image"]
    assert over.low <= 0 <= over.high


def test_a_place_where_all_prototypes_always_lie_is_no_sign_of_a_shared_object() -> None:
    found = distinct(np.eye(8), np.full((30, 8, 2), 4))
    assert found["coincidence"].value == found["coincidence_other_image"].value == 1
    assert found["coincidence_over_other_image"].value == 0


def test_the_mean_cosine_leaves_out_the_prototype_itself_and_lone_ones() -> None:
    vectors = np.array([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]])
    cells, owner = spread_cells()[:, :3], np.array([0, 0, 1])
    found = distinct(vectors, cells, owner)
    assert found["cosine_n"] == 2
    assert found["cosine"].value == pytest.approx(0.6)
    assert found["cosine_other_classes"].value == pytest.approx(0.4)
    assert found["coincidence_n"] == 15
    lone = distinct(vectors[1:], cells[:, 1:], owner[1:])
    assert lone == {"cosine_n": 0, "coincidence_n": 0}
    assert distinct(vectors[:0], cells[:, :0], owner[:0]) == lone


def carriers(similar: np.ndarray, weight: np.ndarray, predicted: np.ndarray) -> dict[str, Any]:
    return sparsity(similar, LastLayer(OWNER, weight, np.zeros(2)), predicted, 0)


def test_as_many_carry_a_decision_as_nine_tenths_need() -> None:
    predicted = np.zeros(20, int)
    ten = np.zeros((20, 8))
    ten[:, :3] = 0.89, 0.02, 0.09
    ten[:, 4:] = 1
    found = carriers(ten, np.ones(8), predicted)
    assert found["carriers_median"].value == found["carriers_median"].high == 2
    assert found["carriers_n"] == 20
    assert found["carriers_share"].value == 0.5
    ten[:, :3] = 0.9, 0.01, 0.09
    assert carriers(ten, np.ones(8), predicted)["carriers_median"].value == 1


def test_weights_count_and_equal_shares_are_no_sparser_than_the_control() -> None:
    similar, predicted = np.full((20, 8), 0.5), np.arange(20) % 2
    even = carriers(similar, np.ones(8), predicted)
    assert even["carriers_share"].value == even["carriers_share_even"].value == 1
    assert even["carriers_share_over_even"].value == 0
    one = carriers(similar, np.array([100.0, 1, 1, 1, 100, 1, 1, 1]), predicted)
    assert one["carriers_median"].value == 1
    assert one["carriers_share_over_even"].high < 0
    live = carriers(similar, np.array([1.0, 0, 0, 0, 1, 1, 0, 0]), predicted)
    assert live["carriers_share"].value == live["carriers_share_even"].value == 1
    assert (live["carriers_median"].low, live["carriers_median"].high) == (1, 2)


def test_what_is_never_given_has_no_carriers() -> None:
    similar, predicted = np.full((5, 8), -0.5), np.zeros(5, int)
    similar[0, 0] = 0.5
    assert carriers(similar, np.ones(8), predicted)["carriers_n"] == 1
    assert carriers(similar, np.zeros(8), predicted) == {"carriers_n": 0}


SIZE, STRIDE, COUNT = 56, 8, 40


def marked() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return grey images with a chequered square of a cell, its cells, and cats around it."""
    images = np.full((COUNT, SIZE, SIZE, 3), 100, np.uint8)
    cells = RNG(0).integers(1, 6, (COUNT, 2))
    cats = np.zeros((COUNT, SIZE, SIZE), np.uint8)
    yy, xx = np.mgrid[:8, :8]
    for image, cat, (y, x) in zip(images, cats, cells, strict=True):
        image[y * 8 : y * 8 + 8, x * 8 : x * 8 + 8] = ((yy + xx) % 2 * 255)[..., None]
        cat[y * 8 - 8 : y * 8 + 16, x * 8 - 8 : x * 8 + 16] = 1
    return images, cells, cats


def contrast(images: np.ndarray) -> np.ndarray:
    """Return logits ``[B,2]``: the second is what the chequers add up to."""
    steps = np.abs(np.diff(images[..., 0].astype(float), axis=2)).sum(axis=(1, 2)) / 1e4
    return np.stack([np.zeros(len(images)), steps], axis=1)


def deleted(images: np.ndarray, cells: np.ndarray, cats: np.ndarray) -> dict[str, Any]:
    """Return the figures where the top prototypes are at ``cells``, squares placed as measured."""
    side, rng = square_side(SIZE), RNG(1)
    clean = contrast(images)
    with_cat = np.flatnonzero(cats.any(axis=(1, 2)))

    def drops(some: np.ndarray, centres: np.ndarray) -> np.ndarray:
        return logit_drops(clean[some], contrast(blur_squares(images[some], centres)))

    everyone = np.arange(len(images))
    anywhere = rng.integers(0, SIZE - side + 1, (3, len(images), 2)) + side // 2
    pixels = [[rng.choice(np.flatnonzero(cats[n])) for n in with_cat] for _ in range(3)]
    on_cat = np.stack(np.divmod(np.array(pixels, int), SIZE), axis=-1)
    found = Drops(
        drops(everyone, cells * STRIDE + STRIDE // 2),
        np.stack([drops(everyone, centres) for centres in anywhere]),
        with_cat,
        np.stack([drops(with_cat, centres) for centres in on_cat]),
    )
    return deletion_figures(found, 0)


def test_deleting_what_decides_costs_more_than_deleting_anything_else() -> None:
    images, cells, cats = marked()
    cats[:10] = 0
    found = deleted(images, cells, cats)
    assert (found["deletion_n"], found["deletion_with_cat"]["deletion_n"]) == (40, 30)
    assert found["deletion"].value > 1
    assert found["deletion_over_random"].low > 0
    assert found["deletion_with_cat"]["deletion_over_cat"].low > 0
    tight = np.zeros_like(cats)
    centres = cells * STRIDE + STRIDE // 2
    tight[np.arange(COUNT), centres[:, 0], centres[:, 1]] = 1
    same = deleted(images, cells, tight)["deletion_with_cat"]
    assert same["deletion_over_cat"][:3] == pytest.approx([0, 0, 0], abs=1e-9)
    assert found == deleted(images, cells, cats)


def test_deleting_a_place_that_does_not_decide_is_no_better_than_its_controls() -> None:
    images, cells, cats = marked()
    found = deleted(images, np.where(cells >= 3, 0, 6), cats)
    assert found["deletion"].value == pytest.approx(0, abs=0.05)
    assert found["deletion_over_random"].high < 0
    assert found["deletion_with_cat"]["deletion_over_cat"].high < 0


def test_unknown_cats_leave_their_control_out_and_one_image_is_too_few() -> None:
    images, cells, cats = marked()
    found = deleted(images[:3], cells[:3], cats[:3] * 0)
    assert found["deletion"].value > 1
    assert "deletion_with_cat" not in found
    assert deleted(images[:1], cells[:1], cats[:1]) == {"deletion_n": 1}


def test_a_drop_is_of_the_class_predicted_from_the_whole_image() -> None:
    clean = np.array([[0.0, 3.0], [2.0, 1.0]])
    assert logit_drops(clean, np.array([[9.0, 1.0], [2.5, 0.0]])).tolist() == [2.0, -0.5]


def test_jpeg_that_changes_nothing_is_stable_and_another_image_is_not() -> None:
    rng = RNG(0)
    top, cells = rng.integers(0, 4, 40), rng.integers(0, 14, (40, 4, 2))
    found = kept_figures("jpeg", top, top, cells, cells + 1, 0)
    for name in ("jpeg_same_prototype", "jpeg_same_cell", "jpeg_same"):
        assert found[name].value == 1
        assert found[f"{name}_over_other_image"].low > 0
    assert found["jpeg_same_prototype_other_image"].value < 0.5
    moved = kept_figures("jpeg", top, (top + 1) % 4, cells, cells + np.array([2, 0]), 0)
    assert [moved[f"jpeg_same{name}"].value for name in ("_prototype", "_cell", "")] == [0, 0, 0]


def test_jpeg_looks_at_the_cell_of_the_first_top_prototype() -> None:
    top, cells = np.zeros(10, int), RNG(0).integers(0, 14, (10, 2, 2))
    moved = cells + np.array([[0, 0], [5, 5]])
    found = kept_figures("jpeg", top, np.repeat([0, 1], 5), cells, moved, 0)
    assert (found["jpeg_same_cell"].value, found["jpeg_same"].value) == (1, 0.5)
    found = kept_figures("jpeg", top, top, cells, cells + 5, 0)
    assert (found["jpeg_same_prototype"].value, found["jpeg_same"].value) == (1, 0)


def test_jpeg_where_every_image_says_the_same_is_no_merit() -> None:
    top, cells = np.zeros(20, int), np.full((20, 2, 2), 3)
    found = kept_figures("jpeg", top, top, cells, cells, 0)
    assert found["jpeg_same"].value == found["jpeg_same_other_image"].value == 1
    assert found["jpeg_same_over_other_image"].value == 0
    assert kept_figures("jpeg", top[:1], top[:1], cells[:1], cells[:1], 0) == {"jpeg_n": 1}
