"""Intervals lie within their bounds, hold the value, and cover as often as they say."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import binom

from twincam.files.metrics import Estimate
from twincam.statistics.estimates import difference, mean, mean_of_shares, median, share
from twincam.statistics.intervals import compare_paired, logit_interval, wilson

SHARES = arrays(float, st.integers(1, 40), elements=st.sampled_from([0, 0.25, 1 / 3, 0.5, 1]))
HITS = arrays(bool, st.integers(1, 60))


def holds(found: Estimate, low: float = 0, high: float = 1) -> None:
    bounds = np.array([low, found.low, found.value, found.high, high])
    assert (np.diff(bounds) >= -1e-12).all(), found


@given(HITS)
def test_a_share(hits: np.ndarray) -> None:
    found = share(hits)
    holds(found)
    assert found.low < found.high


@given(st.lists(HITS, min_size=1, max_size=5))
def test_a_mean_of_shares(parts: list[np.ndarray]) -> None:
    found = mean_of_shares(parts)
    holds(found)
    assert found.low < found.high


@given(SHARES)
def test_a_mean_and_a_median(values: np.ndarray) -> None:
    holds(mean(values, 0), values.min(), values.max())
    holds(median(values), values.min(), values.max())


@given(st.data(), SHARES)
def test_a_paired_difference(data: st.DataObject, values: np.ndarray) -> None:
    control = data.draw(arrays(float, len(values), elements=st.sampled_from([0, 0.5, 1])))
    holds(difference(values, control, 0), -1, 1)


@given(st.data(), HITS, st.integers(1, 5))
def test_two_models(data: st.DataObject, first: np.ndarray, images: int) -> None:
    second = data.draw(arrays(bool, len(first)))
    found = compare_paired(first, second, np.arange(len(first)) % images, 0, draws=200)
    holds(Estimate(found.difference, found.low, found.high, found.n), -1, 1)
    holds(Estimate(found.first, found.first_low, found.first_high, found.n))
    holds(Estimate(found.second, found.second_low, found.second_high, found.n))
    assert 0 < found.p <= 1


@given(st.floats(0, 1), arrays(float, 50, elements=st.floats(0, 1)), st.integers(1, 1000))
def test_an_area_under_a_curve(value: float, drawn: np.ndarray, n: int) -> None:
    holds(Estimate(value, *logit_interval(value, drawn, n), n))


@given(st.integers(10, 200))
def test_wilson_covers_as_often_as_nominal_on_average(n: int) -> None:
    hits = np.arange(n + 1)
    bounds = np.array([wilson(float(k), n) for k in hits])
    truths = np.linspace(0.05, 0.95, 181)
    inside = (bounds[:, 0] <= truths[:, None]) & (truths[:, None] <= bounds[:, 1])
    covered = (binom.pmf(hits, n, truths[:, None]) * inside).sum(axis=1)
    assert 0.94 < covered.mean() < 0.965
    assert covered.min() > 0.83
