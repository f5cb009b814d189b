"""Intervals and tests agree with SciPy and do what they claim."""

import numpy as np
import pytest
from scipy import stats

from twincam.statistics.intervals import (
    bootstrap_mean,
    compare_paired,
    logit_interval,
    majority_share,
    mcnemar,
    percentile_interval,
    stratified_resamples,
    wilson,
)


@pytest.mark.parametrize(("hits", "n"), [(0, 5), (91, 100), (95, 95), (1, 3)])
def test_wilson_is_scipys(hits: int, n: int) -> None:
    interval = stats.binomtest(hits, n).proportion_ci(0.95, method="wilson")
    assert wilson(hits, n) == pytest.approx((interval.low, interval.high), abs=1e-12)


def test_wilson_of_91_in_100() -> None:
    assert wilson(91, 100) == pytest.approx((0.838, 0.952), abs=5e-4)


def test_the_majority_is_the_most_frequent_label() -> None:
    assert majority_share(np.array(["b", "a", "b", "c", "b"])) == 0.6
    assert majority_share(np.array(["a"])) == 1


def test_mcnemar_needs_six_images_that_only_one_model_gets_right() -> None:
    first = np.ones(20, bool)
    five, six = first.copy(), first.copy()
    five[:5], six[:6] = False, False
    assert mcnemar(first, five) > 0.05 > mcnemar(first, six)
    assert mcnemar(first, six) == mcnemar(six, first)
    assert mcnemar(first, first) == 1.0


def test_bootstrap_covers_the_mean_and_repeats() -> None:
    values = np.random.default_rng(0).normal(3, 1, 200)
    low, high = bootstrap_mean(values, 0, "x")
    assert low < values.mean() < high
    assert high - low == pytest.approx(2 * 1.96 / np.sqrt(200), rel=0.15)
    assert bootstrap_mean(values, 0, "x") == (low, high)
    assert bootstrap_mean(values, 1, "x") != (low, high)


def drawn_pair(n: int = 60) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.random(n) < 0.7, rng.random(n) < 0.85


def test_paired_comparison_of_single_rows_is_mcnemar_wilson_and_bootstrap() -> None:
    first, second = drawn_pair()
    found = compare_paired(first, second, np.arange(60), 0, "x")
    assert found.p == mcnemar(first, second)
    assert (found.first_low, found.first_high) == pytest.approx(wilson(first.sum(), 60))
    assert found.only_first == (first & ~second).sum()
    assert found.only_second == (~first & second).sum()
    assert found.difference == pytest.approx(second.mean() - first.mean())
    plain = bootstrap_mean(second.astype(float) - first, 0, "x")
    assert (found.low, found.high) == pytest.approx(plain)


def test_several_rows_of_one_image_count_as_one_image() -> None:
    first, second = drawn_pair()
    images = np.arange(60)
    once = compare_paired(first, second, images, 0)
    thrice = compare_paired(np.repeat(first, 3), np.repeat(second, 3), np.repeat(images, 3), 0)
    assert (thrice.n, thrice.images) == (180, 60)
    assert thrice[2:] == pytest.approx(once[2:])
    naive = compare_paired(np.repeat(first, 3), np.repeat(second, 3), np.arange(180), 0)
    assert naive.high - naive.low < 0.7 * (thrice.high - thrice.low)
    assert naive.p < thrice.p


def test_an_image_counts_for_the_model_that_is_right_on_more_of_its_rows() -> None:
    first = np.array([True, True, False, True, False])
    second = np.array([False, False, True, False, True])
    found = compare_paired(first, second, np.array(["a", "a", "a", "b", "b"]), 0)
    assert (found.only_first, found.only_second) == (1, 0)


def test_models_that_never_differ_still_have_an_interval() -> None:
    right = np.ones(95, bool)
    found = compare_paired(right, right, np.arange(95), 0)
    assert (found.difference, found.p) == (0, 1)
    assert found.high == -found.low == wilson(0, 95)[1] > 0.03


def test_stratified_draws_keep_the_counts_and_repeat() -> None:
    labels = np.array(["a"] * 3 + ["b"] * 7 + ["c"] * 2)
    draws = list(stratified_resamples(labels, 0, "x", draws=50))
    assert all(sorted(labels[pick]) == sorted(labels) for pick in draws)
    assert len({tuple(sorted(pick)) for pick in draws}) > 40
    again = stratified_resamples(labels, 0, "x", draws=50)
    assert all((one == other).all() for one, other in zip(draws, again, strict=True))


def test_percentile_interval_contains_the_value() -> None:
    drawn = np.arange(101.0)
    assert percentile_interval(50, drawn) == (2.5, 97.5)
    assert percentile_interval(-1, drawn) == (-1, 97.5)


def test_logit_interval_stays_within_bounds_and_never_has_zero_width() -> None:
    drawn = np.random.default_rng(0).normal(0.98, 0.015, 1000)
    low, high = logit_interval(0.98, drawn, 40)
    assert low < 0.95
    assert 0.98 < high < 1
    assert 0.98 - low > 2 * (high - 0.98)
    assert logit_interval(0.98, np.random.default_rng(0).normal(0.9, 0.3, 1000), 40) == wilson(
        0.98 * 40, 40
    )
    assert logit_interval(1.0, np.ones(1000), 47) == wilson(47, 47)
    assert logit_interval(0.0, np.zeros(1000), 47) == wilson(0, 47)
    assert logit_interval(0.5, np.full(1000, 0.5), 10) == wilson(5, 10)


def test_logit_interval_is_the_normal_one_in_the_middle() -> None:
    drawn = np.random.default_rng(0).normal(0.5, 0.02, 100_000)
    assert logit_interval(0.5, drawn, 100) == pytest.approx((0.4608, 0.5392), abs=5e-4)
