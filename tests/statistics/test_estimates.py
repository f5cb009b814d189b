"""Figures have intervals that never lack a width, and stand beside their controls."""

import numpy as np

from twincam.statistics.estimates import difference


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
