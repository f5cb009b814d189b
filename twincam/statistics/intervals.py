"""Confidence intervals and paired tests for small samples."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy.special import expit, logit, ndtri

from twincam.determinism import generator


def wilson(hits: float, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the score interval of a proportion (Wilson, JASA 1927), within 0 to 1.

    Args:
        hits: 0 to ``n``; fractional if images count partially.
        n: at least 1.
        confidence: nominal coverage.
    """
    z = ndtri(0.5 + confidence / 2)
    share = hits / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return float(max(0.0, centre - half)), float(min(1.0, centre + half))


def majority_share(labels: np.ndarray) -> float:
    """Return the share of the most common of ``labels`` ``[N]``, N at least 1.

    It is the accuracy of always predicting that label, the baseline of any accuracy.
    """
    return float(np.unique(labels, return_counts=True)[1].max() / len(labels))


def mcnemar(first: np.ndarray, second: np.ndarray) -> float:
    """Return the two-sided p-value of the exact McNemar test of two models on the same images.

    McNemar (Psychometrika 1947): a sign test on the images that only one of the models classifies
    correctly.

    Args:
        first: bool ``[N]``, whether the first model is right.
        second: bool ``[N]``, the same images.
    """
    from scipy.stats import binomtest

    only_first = int((first & ~second).sum())
    only_second = int((~first & second).sum())
    if only_first + only_second == 0:
        return 1.0
    return float(binomtest(only_first, only_first + only_second).pvalue)


def bootstrap_mean(
    values: np.ndarray, seed: int, *names: object, draws: int = 2000
) -> tuple[float, float]:
    """Return the 95 % percentile bootstrap interval of the mean of ``values`` ``[N]``."""
    rng = generator(seed, "bootstrap", *names)
    picks = rng.integers(0, len(values), size=(draws, len(values)))
    low, high = np.percentile(values[picks].mean(axis=1), [2.5, 97.5])
    return float(low), float(high)


class PairedComparison(NamedTuple):
    """Two models on the same images: their accuracies and the difference.

    ``n`` rows show ``images`` different images. The accuracies are over rows, with 95 % intervals.
    ``only_first`` and ``only_second`` count the images that one model classifies correctly more
    often than the other; ``p`` is that of McNemar's exact test on them. ``difference`` is the
    second accuracy minus the first, with its 95 % interval ``low`` to ``high``.
    """

    n: int
    images: int
    first: float
    first_low: float
    first_high: float
    second: float
    second_low: float
    second_high: float
    only_first: int
    only_second: int
    p: float
    difference: float
    low: float
    high: float


def compare_paired(
    first: np.ndarray,
    second: np.ndarray,
    images: np.ndarray,
    seed: int,
    *names: object,
    draws: int = 2000,
) -> PairedComparison:
    """Compare two models on the same rows, several of which may show the same image.

    Rows of one image are not independent: McNemar's test counts each image once, for the model that
    is right on more of its rows; the bootstrap of the difference resamples images with all their
    rows; Wilson's intervals have one trial per image. If the models do not differ on any image, the
    bootstrap has no variance: the interval is then Wilson's upper bound for the share of images on
    which they differ, in both directions.

    Args:
        first: bool ``[N]``, N at least 1, whether the first model is right.
        second: bool ``[N]``, the same rows.
        images: ``[N]``, the image that each row shows, by any key.
        seed: of the bootstrap.
        names: of the bootstrap.
        draws: of the bootstrap.
    """
    _, image = np.unique(images, return_inverse=True)
    rows = np.bincount(image)
    net = np.bincount(image, second.astype(float) - first)
    n = len(rows)
    picks = generator(seed, "bootstrap", *names).integers(0, n, size=(draws, n))
    low, high = np.percentile(net[picks].sum(axis=1) / rows[picks].sum(axis=1), [2.5, 97.5])
    if not net.any():
        high = wilson(0, n)[1]
        low = -high
    return PairedComparison(
        len(first),
        n,
        float(first.mean()),
        *wilson(float(first.mean()) * n, n),
        float(second.mean()),
        *wilson(float(second.mean()) * n, n),
        int((net < 0).sum()),
        int((net > 0).sum()),
        mcnemar(net < 0, net > 0),
        float(second.mean() - first.mean()),
        float(low),
        float(high),
    )


def stratified_resamples(
    labels: np.ndarray, seed: int, *names: object, draws: int = 1000
) -> Iterator[np.ndarray]:
    """Yield rows ``[N]`` sampled with replacement within each label of ``labels`` ``[N]``."""
    rng = generator(seed, "bootstrap", *names)
    strata = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    for _ in range(draws):
        yield np.concatenate([rng.choice(own, len(own)) for own in strata])


def percentile_interval(value: float, drawn: np.ndarray) -> tuple[float, float]:
    """Return the central 95 % of the bootstrap's values ``[D]``, widened to contain ``value``."""
    low, high = np.percentile(drawn, [2.5, 97.5])
    return float(min(low, value)), float(max(high, value))


def logit_interval(value: float, drawn: np.ndarray, n: int) -> tuple[float, float]:
    """Return the 95 % interval of a metric between 0 and 1 from a bootstrap of it.

    It uses the bootstrap's standard error on the logit scale (for the AUC: Qin and Hotilovac,
    Statistical Methods in Medical Research 2008; for average precision: Boyd, Eng and Page, ECML
    2013). Near 1 a percentile interval is far too narrow: for a true AUC of 0.99 and 47 images per
    class its lower bound holds in 84 % of samples, this one's in 99 %. The interval is never wider
    than Wilson's for ``n`` trials, whose variance an AUC with ``n`` images in its smaller class
    cannot exceed (Birnbaum and Klose, 1957). It equals Wilson's at 0 and 1, and if all bootstrap
    values agree.

    Args:
        value: of the sample.
        drawn: ``[D]``, the bootstrap's values.
        n: the minimum number of trials that the metric corresponds to.
    """
    widest, error = np.array(wilson(value * n, n)), drawn.std()
    if not 0 < value < 1 or error == 0:
        return float(widest[0]), float(widest[1])
    half = ndtri(0.975) * error / (value * (1 - value))
    low, high = expit(logit(value) + np.array([-half, half])).clip(*widest)
    return float(low), float(high)
