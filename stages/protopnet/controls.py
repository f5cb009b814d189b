"""A figure beside what it would be without any knowledge."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from twincam.statistics.intervals import (
    bootstrap_mean,
    mean_with_interval,
    paired_difference,
    share_with_interval,
)


def beside(
    name: str, own: np.ndarray, controls: Mapping[str, np.ndarray], seed: int
) -> dict[str, Any]:
    """Return the mean of ``own`` ``[N]``, that of each control, and the paired difference to it.

    All from 0 to 1, with 95 % intervals, as ``<name>``, ``<name>_<control>`` and
    ``<name>_over_<control>``. Where all values are alike a bootstrap has nothing to draw, and the
    interval is Wilson's.
    """
    found: dict[str, Any] = _share(name, own, seed)
    for control, values in controls.items():
        found |= _share(f"{name}_{control}", values, seed)
        found[f"{name}_over_{control}"] = paired_difference(own, values, seed, name, control)
    return found


def beside_unbounded(
    name: str, own: np.ndarray, controls: Mapping[str, np.ndarray], seed: int
) -> dict[str, Any]:
    """Return what `beside` does for values of any size, by bootstrap alone."""
    found: dict[str, Any] = mean_with_interval(name, own, seed, name)
    for control, values in controls.items():
        apart = own - values
        low, high = bootstrap_mean(apart, seed, name, control)
        beside_it = f"{name}_{control}"
        found |= mean_with_interval(beside_it, values, seed, beside_it)
        found[f"{name}_over_{control}"] = {
            "difference": float(apart.mean()),
            "low": low,
            "high": high,
        }
    return found


def _share(name: str, values: np.ndarray, seed: int) -> dict[str, float]:
    values = values.astype(float)
    alike = np.ptp(values) == 0
    if alike:
        return share_with_interval(name, values)
    return mean_with_interval(name, values, seed, name)
