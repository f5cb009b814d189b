"""Summarise the measurements of all images as figures with intervals, with those of controls.

Areas and gains in margin are divided by the margin of the original images, sum by sum: image by
image the quotient explodes where a margin is near 0. The margin that remains without the image is
not subtracted, as it may be no less than the margin itself; it is reported separately, as
``emptied``, and cancels in the differences from controls. Every interval is the percentile
bootstrap's, of images resampled once for all figures, so that differences are paired; a share has
Wilson's.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.special import softmax

from stages.faithfulness.controls import CONTROLS
from stages.faithfulness.measures import BASELINES, FRACTIONS, KINDS, Measured
from twincam.determinism import generator
from twincam.files.metrics import Estimate
from twincam.statistics.estimates import share
from twincam.statistics.margins import margins

BETTER = {
    "deletion": -1,
    "insertion": 1,
    "road": 1,
    "average_drop": -1,
    "increase": 1,
    "noise_similarity": 1,
    "noise_cosine": 1,
    "randomisation_similarity": -1,
}
"""Whether higher, 1, or lower, -1, is more faithful."""
FEWEST = 2
"""The fewest images that an interval is computed from."""
COLUMNS = [
    "method",
    "map",
    "baseline",
    "kind",
    "fraction",
    "margin",
    "margin_low",
    "margin_high",
    "n",
]


class Score(NamedTuple):
    """A figure of each image: of its map and of each control ``[N]``, and its weight ``[N]``.

    The overall figure is the sum of the values over the sum of the weights.
    """

    own: np.ndarray
    controls: Mapping[str, np.ndarray]
    weights: np.ndarray


def scores_of(measured: Measured, logits: np.ndarray) -> dict[str, Score]:
    """Return the figures of a method's maps.

    Args:
        measured: of the maps and their `CONTROLS`.
        logits: of the original images ``[N,K]``.
    """
    margin, probability = margins(logits), softmax(logits.astype(np.float64), axis=1).max(axis=1)
    areas = np.trapezoid(measured.curves, FRACTIONS, axis=3).mean(axis=1)
    drop = np.maximum(probability - measured.kept, 0) / probability
    ones = np.ones(len(margin))
    found = (
        ("deletion", areas[:, 0], margin),
        ("insertion", areas[:, 1], margin),
        ("road", measured.road, margin),
        ("average_drop", drop, ones),
        ("increase", measured.kept > probability, ones),
    )
    return {
        name: Score(values[0], dict(zip(CONTROLS, values[1:], strict=True)), weights)
        for name, values, weights in found
    }


def metrics_of(scores: Mapping[str, Score], labels: np.ndarray, seed: int) -> dict[str, Any]:
    """Return every figure with its interval, of the maps, of each class and of each control.

    Args:
        scores: by the names of `BETTER`.
        labels: true, ``[N]``.
        seed: of the bootstrap.

    Returns:
        ``n``, ``<figure>``; ``<figure>_over_<control>``, the difference from the control, positive
        if the map is better; ``controls`` and ``by_class``, the same figures of these.
    """
    counts = resamples(len(labels), seed)
    found: dict[str, Any] = {"n": len(labels), "controls": {}, "by_class": {}}
    for name, (own, controls, weights) in scores.items():
        found[name] = ratio(own, weights, counts)
        for control, values in controls.items():
            shown = found["controls"].setdefault(control, {})
            shown[name] = ratio(values, weights, counts)
            gain = BETTER[name] * (own.astype(float) - values)
            found[f"{name}_over_{control}"] = ratio(gain, weights, counts)
    for label in np.unique(labels):
        of = labels == label
        found["by_class"][str(label)] = {"n": int(of.sum())}
        if of.sum() >= FEWEST:
            drawn = resamples(int(of.sum()), seed)
            for name, score in scores.items():
                shown = ratio(score.own[of], score.weights[of], drawn)
                found["by_class"][str(label)][name] = shown
    return found


def headlines(details: Mapping[str, Any]) -> dict[str, Estimate]:
    """Return the lead of deletion by a method's maps over deletion by another image's map.

    Of several methods, the first by name.
    """
    methods = details.get("heatmaps", {})
    name = "deletion_over_other_image"
    return {name: methods[min(methods)][name]} if methods else {}


def by_baseline(
    measured: Measured, margin: np.ndarray, seed: int
) -> dict[str, dict[str, Estimate]]:
    """Return deletion and insertion on each baseline, and ``emptied``, the baseline's own margin.

    Args:
        measured: of the maps; controls are ignored.
        margin: of the original images ``[N]``.
        seed: of the bootstrap.
    """
    counts = resamples(len(margin), seed)
    areas = np.trapezoid(measured.curves[0], FRACTIONS, axis=2)
    return {
        name: {
            "deletion": ratio(areas[number, 0], margin, counts),
            "insertion": ratio(areas[number, 1], margin, counts),
            "emptied": ratio(measured.curves[0, number, 0, -1], margin, counts),
        }
        for number, name in enumerate(BASELINES)
    }


def series_metrics(
    series: Mapping[str, tuple[np.ndarray, np.ndarray]], seed: int
) -> dict[str, dict[str, Estimate]]:
    """Return the mean correlations after each part was randomised.

    Args:
        series: by part, of signed and of absolute maps, ``[N]`` each.
        seed: of the bootstrap.
    """
    found = {}
    for part, (signed, absolute) in series.items():
        counts, ones = resamples(len(signed), seed), np.ones(len(signed))
        found[part] = {
            "spearman": ratio(signed, ones, counts),
            "spearman_absolute": ratio(absolute, ones, counts),
        }
    return found


def curve_table(method: str, measured: Measured, margin: np.ndarray, seed: int) -> pd.DataFrame:
    """Return the margin's share at every point of every curve, with its interval.

    Args:
        method: the name of its own maps.
        measured: of the maps and their `CONTROLS`.
        margin: of the original images ``[N]``.
        seed: of the bootstrap.
    """
    axes: Sequence[Sequence[object]] = ([method, *CONTROLS], BASELINES, KINDS, FRACTIONS)
    points = measured.curves.reshape(-1, len(margin))
    counts = resamples(len(margin), seed)
    drawn = (counts @ points.T) / (counts @ margin)[:, None]
    low, high = np.percentile(drawn, [2.5, 97.5], axis=0)
    table = pd.MultiIndex.from_product(axes, names=COLUMNS[1:5]).to_frame(index=False)
    return table.assign(
        method=method,
        margin=points.sum(axis=1) / margin.sum(),
        margin_low=low,
        margin_high=high,
        n=len(margin),
    )[COLUMNS]


def resamples(n: int, seed: int, draws: int = 2000) -> np.ndarray:
    """Return how often each of ``n`` images is in each bootstrap sample, ``[draws,n]``."""
    drawn = generator(seed, "bootstrap", "faithfulness").multinomial(n, np.full(n, 1 / n), draws)
    return drawn.astype(np.float64)


def ratio(values: np.ndarray, weights: np.ndarray, counts: np.ndarray) -> Estimate:
    """Return the ratio of the sums of ``values`` and ``weights`` ``[N]``.

    Args:
        values: bool if the figure is a share of images; the interval is then Wilson's.
        weights: all 1 for a mean.
        counts: of each image in each bootstrap sample, ``[draws,N]``.
    """
    if values.dtype == bool:
        return share(values)
    low, high = np.percentile((counts @ values) / (counts @ weights), [2.5, 97.5])
    value = float(values.sum() / weights.sum())
    return Estimate(value, float(low), float(high), len(values))
