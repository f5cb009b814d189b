"""Sums over the cells of several levels keep every mean; a single level stays as it is."""

import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

from twincam.models.embedded import Maps
from twincam.models.levels import cell_sums, class_scores

RNG = np.random.default_rng(0)
GRIDS = [[(7, 7)], [(14, 14), (7, 7)], [(13, 13), (7, 6), (4, 3)]]


def maps_on(grids: list[tuple[int, int]]) -> Maps:
    return tuple(RNG.normal(size=(2, 3 + n, *grid)) for n, grid in enumerate(grids))


def pooled(maps: Maps) -> np.ndarray:
    return np.hstack([level.mean(axis=(2, 3)) for level in maps])


@pytest.mark.parametrize("grids", GRIDS)
def test_means_over_cells_are_those_of_the_features(grids: list[tuple[int, int]]) -> None:
    maps = maps_on(grids)
    features = pooled(maps)
    weights, weight = RNG.normal(size=features.shape), RNG.normal(size=(5, features.shape[1]))
    sums, scores = cell_sums(maps, weights), class_scores(maps, weight)
    assert sums.shape[1:] == grids[0]
    assert scores.shape[1:] == (5, *grids[-1])
    assert sums.mean(axis=(1, 2)) == pytest.approx((features * weights).sum(axis=1), abs=1e-6)
    assert scores.mean(axis=(2, 3)) == pytest.approx(features @ weight.T, abs=1e-6)


def test_on_the_finest_grid_a_coarse_map_is_interpolated_as_torch_does() -> None:
    fine, coarse = np.zeros((2, 1, 12, 8)), RNG.normal(size=(2, 1, 3, 4))
    expected = interpolate(torch.from_numpy(coarse), (12, 8), mode="bilinear")[:, 0].numpy()
    assert cell_sums((fine, coarse), np.ones((2, 2))) == pytest.approx(expected, abs=1e-6)


def test_a_single_level_is_its_weighted_sum_bit_for_bit() -> None:
    (maps,) = maps_on([(7, 7)])
    weights, weight = RNG.normal(size=(2, 3)), RNG.normal(size=(4, 3))
    sums, scores = cell_sums((maps,), weights), class_scores((maps,), weight)
    assert np.array_equal(sums, np.einsum("nchw,nc->nhw", maps, weights))
    assert np.array_equal(scores, np.einsum("kc,nchw->nkhw", weight, maps))


def test_swapping_coarse_cells_at_every_level_swaps_their_scores() -> None:
    query, partner = (maps_on([(6, 6), (3, 3)]) for _ in range(2))
    weight, chosen = RNG.normal(size=(2, 7)), RNG.random((2, 3, 3)) < 0.5
    mixed = []
    for own, other in zip(query, partner, strict=True):
        times = own.shape[-1] // 3
        within = chosen.repeat(times, axis=1).repeat(times, axis=2)
        mixed.append(np.where(within[:, None], other, own))
    scores = (class_scores(maps, weight) for maps in (query, partner))
    swapped = np.where(chosen[:, None], *reversed(list(scores))).mean(axis=(2, 3))
    assert swapped == pytest.approx(pooled(tuple(mixed)) @ weight.T, abs=1e-6)
