"""Figures with their 95 % intervals, alone and compared with uninformative controls."""

from collections.abc import Mapping, Sequence

import numpy as np

from twincam.files.metrics import Estimate
from twincam.statistics.intervals import bootstrap_mean, wilson

NOTHING = Estimate(float("nan"), float("nan"), float("nan"), 0)
"""Of no images."""


def share(hits: np.ndarray) -> Estimate:
    """Return the share of ``hits`` ``[N]`` (bool, or 0 to 1) and its Wilson interval."""
    if not len(hits):
        return NOTHING
    return Estimate(float(hits.mean()), *wilson(float(hits.sum()), len(hits)), len(hits))


def mean(values: np.ndarray, seed: int, *names: object) -> Estimate:
    """Return the mean of ``values`` ``[N]`` and its percentile bootstrap interval.

    ``names`` identify the bootstrap; N is at least 1.
    """
    return Estimate(float(values.mean()), *bootstrap_mean(values, seed, *names), len(values))


def median(values: np.ndarray) -> Estimate:
    """Return the median of ``values`` ``[N]`` and the interval of its order statistics.

    N is at least 1.
    """
    from scipy.stats import binom

    ranked, n = np.sort(values), len(values)
    low = max(int(binom.ppf(0.025, n, 0.5)) - 1, 0)
    return Estimate(float(np.median(ranked)), float(ranked[low]), float(ranked[n - 1 - low]), n)


def mean_of_shares(parts: Sequence[np.ndarray]) -> Estimate:
    """Return the mean of the shares of independent ``parts`` (bool ``[N_i]``) and its interval.

    The interval combines those of the parts (Zou and Donner, Statistics in Medicine 2008), so it
    has a width even if every part is entirely correct.
    """
    shares = np.array([part.mean() for part in parts])
    bounds = np.array([wilson(float(part.sum()), len(part)) for part in parts])
    below, above = np.sqrt((np.abs(bounds.T - shares) ** 2).sum(axis=1)) / len(parts)
    value = float(shares.mean())
    return Estimate(value, value - float(below), value + float(above), sum(map(len, parts)))


def difference(values: np.ndarray, control: np.ndarray, seed: int, *names: object) -> Estimate:
    """Return the mean difference of two figures of the same images and its interval.

    A bootstrap paired by image. If all images differ by the same amount it has no variance: the
    interval then extends by Wilson's upper bound for the share of other images.

    Args:
        values: ``[N]``, each 0 to 1; N at least 1.
        control: the same.
        seed: of the bootstrap.
        names: of the bootstrap.
    """
    apart = values.astype(float) - control
    low, high = bootstrap_mean(apart, seed, *names)
    if np.ptp(apart) == 0:
        reach = wilson(0, len(apart))[1]
        low, high = max(-1.0, low - reach), min(1.0, high + reach)
    return Estimate(float(apart.mean()), low, high, len(apart))


def beside(
    name: str, own: np.ndarray, controls: Mapping[str, np.ndarray], seed: int
) -> dict[str, Estimate]:
    """Return a figure, its controls, and its differences from them, paired by image.

    ``<name>``, ``<name>_<control>`` and ``<name>_over_<control>``. A figure that is bool, or the
    same for all images, has Wilson's interval; others have the bootstrap's.

    Args:
        name: of the figure.
        own: ``[N]``, each from 0 to 1; N at least 1.
        controls: the same, by name.
        seed: of the bootstraps.
    """
    found = {name: _share_or_mean(name, own, seed)}
    for control, values in controls.items():
        found[f"{name}_{control}"] = _share_or_mean(f"{name}_{control}", values, seed)
        found[f"{name}_over_{control}"] = difference(own, values, seed, name, control)
    return found


def beside_unbounded(
    name: str, own: np.ndarray, controls: Mapping[str, np.ndarray], seed: int
) -> dict[str, Estimate]:
    """Return what `beside` does for values of any size, by bootstrap alone."""
    found = {name: mean(own, seed, name)}
    for control, values in controls.items():
        found[f"{name}_{control}"] = mean(values, seed, f"{name}_{control}")
        found[f"{name}_over_{control}"] = mean(own - values, seed, name, control)
    return found


def _share_or_mean(name: str, values: np.ndarray, seed: int) -> Estimate:
    if values.dtype == bool or np.ptp(values) == 0:
        return share(values)
    return mean(values, seed, name)
