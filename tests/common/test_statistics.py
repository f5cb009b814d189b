"""Intervals and tests against SciPy and against what they claim."""

import numpy as np
import pytest
from scipy import stats

from stages.common.statistics import bootstrap_mean, mcnemar, share_with_interval, wilson


@pytest.mark.parametrize(("hits", "n"), [(0, 5), (91, 100), (95, 95), (1, 3)])
def test_wilson_is_scipys(hits: int, n: int) -> None:
    interval = stats.binomtest(hits, n).proportion_ci(0.95, method="wilson")
    assert wilson(hits, n) == pytest.approx((interval.low, interval.high), abs=1e-12)


def test_wilson_of_91_in_100() -> None:
    assert wilson(91, 100) == pytest.approx((0.838, 0.952), abs=5e-4)


def test_accuracy_stands_inside_its_interval() -> None:
    figures = share_with_interval("accuracy", np.array([True] * 9 + [False]))
    assert figures["accuracy"] == 0.9
    assert figures["accuracy_low"] < 0.9 < figures["accuracy_high"]


def test_mcnemar_needs_six_to_nothing() -> None:
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
