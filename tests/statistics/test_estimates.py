"""Figures have intervals that never lack a width, and are compared with their controls."""

import numpy as np
import pytest

from twincam.statistics.estimates import beside, difference, median, share


def test_a_paired_difference_is_narrow_where_images_agree_and_never_without_width() -> None:
    rng = np.random.default_rng(0)
    first = rng.random(100) < 0.5
    second = first.copy()
    second[:4] = ~second[:4]
    found = difference(first, second, 0)
    assert found.high - found.low < 0.1
    same = difference(first, first, 0)
    assert same.value == 0
    assert -0.05 < same.low < 0 < same.high < 0.05


def test_a_share_lies_in_its_interval_and_one_of_no_images_is_nan() -> None:
    found = share(np.array([True] * 9 + [False]))
    assert (found.value, found.n) == (0.9, 10)
    assert found.low < 0.9 < found.high
    assert np.isnan(share(np.array([], bool))[:3]).all()


def test_a_median_has_the_interval_of_its_order_statistics() -> None:
    found = median(np.arange(100.0))
    assert found.value == 49.5
    assert found.low == pytest.approx(40, abs=1)
    assert found.high == pytest.approx(59, abs=1)


def test_a_figure_beside_controls_is_paired_with_each() -> None:
    rng = np.random.default_rng(0)
    own = rng.random(50)
    found = beside("hit", own, {"low": own / 2, "none": np.zeros(50)}, 0)
    assert set(found) == {"hit", "hit_low", "hit_over_low", "hit_none", "hit_over_none"}
    assert found["hit_over_low"].value == pytest.approx((own / 2).mean())
    assert found["hit_over_low"].low > 0
    assert found["hit_none"].high > 0
