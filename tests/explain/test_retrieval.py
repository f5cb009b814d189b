"""Places are counted right, and thumbnails are a control that tells light from dark alone."""

from typing import Any

import numpy as np
import pytest

from stages.explain.retrieval import ranks, retrieval, thumbnails
from twincam.explanations.twins import neighbours
from twincam.explanations.twins.neighbours import looked_up
from twincam.files.metrics import spelled

SIMILARITY = np.array([[0.9, 0.1, 0.5, 0.3], [0.2, 0.8, 0.4, 0.1], [0.6, 0.7, -np.inf, 0.6]])
TARGET = np.array([0, 2, 3])


def figures_of(
    similarity: np.ndarray, control: np.ndarray, target: np.ndarray, seed: int
) -> dict[str, Any]:
    tables = looked_up(similarity), looked_up(control)
    return spelled(retrieval(*tables, target, similarity.shape[1], seed))


def test_places_of_a_handmade_example_ties_against_the_target() -> None:
    rank, candidates = ranks(looked_up(SIMILARITY), TARGET, 4)
    assert (rank.tolist(), candidates.tolist()) == ([1, 2, 3], [4, 4, 3])
    assert ranks(looked_up(np.zeros((1, 5))), np.array([2]), 5)[0].tolist() == [5]


def test_places_do_not_depend_on_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "QUERIES", 2)
    monkeypatch.setattr(neighbours, "REFERENCES", 3)
    test_places_of_a_handmade_example_ties_against_the_target()


def test_figures_of_a_handmade_example() -> None:
    control = np.array([[0.1, 0.9, 0.5, 0.3], [0.2, 0.8, 0.7, 0.1], [0.6, 0.7, -np.inf, 0.65]])
    figures = figures_of(SIMILARITY, control, TARGET, 0)
    assert figures["retrieval_n"] == 3
    assert figures["hit_at_1"] == pytest.approx(1 / 3)
    assert figures["mrr"] == pytest.approx((1 + 1 / 2 + 1 / 3) / 3)
    assert figures["mrr_low"] < figures["mrr"] < figures["mrr_high"]
    assert figures["hit_at_1_thumbnail"] == 0
    assert figures["mrr_thumbnail"] == pytest.approx((1 / 4 + 1 / 2 + 1 / 2) / 3)
    assert figures["hit_at_1_over_thumbnail"] == pytest.approx(1 / 3)
    assert figures["mrr_over_thumbnail"] == pytest.approx(figures["mrr"] - figures["mrr_thumbnail"])
    assert figures["hit_at_1_chance"] == pytest.approx((1 / 4 + 1 / 4 + 1 / 3) / 3)
    harmonic = np.array([25 / 12, 25 / 12, 11 / 6]) / [4, 4, 3]
    assert figures["mrr_chance"] == pytest.approx(harmonic.mean())
    assert figures_of(SIMILARITY[:0], control[:0], TARGET[:0], 0) == {"retrieval_n": 0}


def test_a_random_order_comes_to_what_chance_says() -> None:
    rng = np.random.default_rng(0)
    similarity, control = rng.random((2, 4000, 9))
    similarity[:2000, 8] = control[:2000, 8] = -np.inf
    figures = figures_of(similarity, control, rng.integers(0, 8, 4000), 0)
    for name in ("hit_at_1", "mrr"):
        assert figures[f"{name}_low"] < figures[f"{name}_chance"] < figures[f"{name}_high"]
        assert abs(figures[f"{name}_over_thumbnail"]) < 0.025


def test_thumbnails_are_unit_vectors_that_see_neither_contrast_nor_brightness() -> None:
    rng = np.random.default_rng(0)
    coarse = rng.integers(60, 120, (3, 16, 16, 3)).repeat(4, 1).repeat(4, 2).astype(np.uint8)
    flat = thumbnails(coarse)
    assert flat.shape == (3, 768)
    assert np.allclose(np.linalg.norm(flat, axis=1), 1)
    assert np.allclose(flat.mean(axis=1), 0, atol=1e-6)
    assert np.allclose(flat, thumbnails(2 * coarse + 9), atol=1e-5)
    pixels = coarse[:, ::4, ::4].reshape(3, -1).astype(float)
    assert np.allclose(flat @ flat.T, np.corrcoef(pixels), atol=1e-5)
    assert not thumbnails(np.full((1, 64, 64, 3), 80, np.uint8)).any()
