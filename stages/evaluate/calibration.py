"""Calibration of the confidences before and after temperature scaling."""

from typing import Any

import numpy as np
import pandas as pd
from scipy.special import log_softmax

from twincam.confidence.calibration import FEWEST, log_loss
from twincam.determinism import generator
from twincam.files.metrics import Estimate
from twincam.statistics.intervals import percentile_interval, stratified_resamples, wilson

SIMULATIONS = 2000


APPROXIMATION = (
    "approximate: the temperature was fitted to models trained on parts of the training images"
)


def brier_loss(p: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return the squared distance ``[…,N]`` of ``p`` ``[N,K]`` to the truth ``[…,N]``: 0 to 2.

    Brier (Monthly Weather Review 1950), summed over the classes.
    """
    return 1 - 2 * p[np.arange(len(p)), truth] + (p**2).sum(axis=1)


def bins_of(n: int) -> int:
    """Return the number of bins for ``n`` images: 5 below 200, 10 below 1000, 15 otherwise."""
    return 5 if n < 200 else 10 if n < 1000 else 15


def bin_starts(n: int, bins: int) -> np.ndarray:
    """Return where each of ``bins`` equally sized bins of ``n`` sorted images starts."""
    return np.arange(bins) * n // bins


def calibration_error(confidence: np.ndarray, right: np.ndarray, bins: int) -> np.ndarray:
    """Return the expected calibration error in bins of equal mass.

    The mean over images of the gap between mean confidence and accuracy in the image's bin
    (Naeini et al., AAAI 2015; bins of equal mass: Nguyen and O'Connor, EMNLP 2015).

    Args:
        confidence: ``[N]``.
        right: ``[…,N]``, whether the prediction is correct, for any number of trials.
        bins: at most N.

    Returns:
        ``[…]``, 0 to 1. Larger than 0 even for perfect confidences: chance alone causes gaps.
    """
    order = np.argsort(confidence, kind="stable")
    gaps = (right - confidence)[..., order]
    by_bin = np.add.reduceat(gaps, bin_starts(len(confidence), bins), axis=-1)
    return np.abs(by_bin).sum(axis=-1) / len(confidence)


def simulated_truths(p: np.ndarray, seed: int, *names: object) -> np.ndarray:
    """Return class indices ``[SIMULATIONS,N]``, sampled from ``p`` ``[N,K]``."""
    samples = generator(seed, "calibrated", *names).random((SIMULATIONS, len(p), 1))
    return (samples > p.cumsum(axis=1)[:, :-1]).sum(axis=-1)


def calibration_figures(
    logits: np.ndarray, truth: np.ndarray, seed: int
) -> dict[str, Estimate | float]:
    """Return NLL, Brier score and ECE of N images, and their expected values if calibrated.

    The intervals are from a bootstrap stratified by class. That of the ECE is biased upward, as the
    ECE itself is: compare it with ``…_expected`` and ``…_expected_high``, the median and the 95th
    percentile of a model with these confidences that is perfectly calibrated, on as many images.

    Args:
        logits: ``[N,K]``.
        truth: class indices ``[N]``.
        seed: of the bootstrap and of the simulation.
    """
    p = np.exp(log_softmax(logits, axis=1))
    bins, confidence, predicted = bins_of(len(p)), p.max(axis=1), p.argmax(axis=1)
    losses = log_loss(logits, truth)
    brier, right = brier_loss(p, truth), predicted == truth
    resampled = np.array(
        [
            (
                losses[pick].mean(),
                brier[pick].mean(),
                calibration_error(confidence[pick], right[pick], bins),
            )
            for pick in stratified_resamples(truth, seed, "calibration")
        ]
    )
    truths = simulated_truths(p, seed)
    every_loss = -log_softmax(logits, axis=1)
    expected = {
        "nll": every_loss[np.arange(len(p)), truths].mean(axis=1),
        "brier": brier_loss(p, truths).mean(axis=1),
        "ece": calibration_error(confidence, truths == predicted, bins),
    }
    values = {
        "nll": float(losses.mean()),
        "brier": float(brier.mean()),
        "ece": float(calibration_error(confidence, right, bins)),
    }
    figures: dict[str, Estimate | float] = {}
    for column, (name, value) in enumerate(values.items()):
        figures[name] = Estimate(value, *percentile_interval(value, resampled[:, column]), len(p))
        figures[f"{name}_expected"], figures[f"{name}_expected_high"] = map(
            float, np.percentile(expected[name], [50, 95])
        )
    return figures


def calibration(
    logits: np.ndarray, truth: np.ndarray, temperature: float | None, reason: str, seed: int
) -> dict[str, Any]:
    """Return the block ``calibration`` of one split.

    Args:
        logits: ``[N,K]``.
        truth: class indices ``[N]``.
        temperature: None where none could be fitted: only the figures before scaling are returned.
        reason: why none could be fitted.
        seed: of the bootstrap.
    """
    n = len(truth)
    if n < FEWEST:
        return {"skipped": f"{n} images, {FEWEST} are needed", "n": n}
    before = {"n": n, "bins": bins_of(n), "before": calibration_figures(logits, truth, seed)}
    if temperature is None:
        return {"skipped": reason, **before}
    after = calibration_figures(logits / temperature, truth, seed)
    return {
        **before,
        "temperature": temperature,
        "approximation": APPROXIMATION,
        "after": after,
        **nll_change(logits, truth, temperature, seed),
    }


def nll_change(
    logits: np.ndarray, truth: np.ndarray, temperature: float, seed: int
) -> dict[str, Any]:
    """Return ``nll_change``, the NLL after minus before the temperature, also in words.

    Paired by image, with a bootstrap interval stratified by class; ``nll_change_sentence`` states
    whether scaling improved it.
    """
    change = log_loss(logits / temperature, truth) - log_loss(logits, truth)
    difference = float(change.mean())
    resampled = [change[pick].mean() for pick in stratified_resamples(truth, seed, "nll change")]
    low, high = percentile_interval(difference, np.array(resampled))
    words = (
        "worse after scaling"
        if low > 0
        else "better after scaling"
        if high < 0
        else "neither better nor worse after scaling: the interval contains 0"
    )
    change_of_all = Estimate(difference, low, high, len(truth))
    return {"nll_change": change_of_all, "nll_change_sentence": words}


def reliability(logits: np.ndarray, truth: np.ndarray, seed: int) -> pd.DataFrame:
    """Return the reliability diagram: a row for each bin of equal mass.

    Args:
        logits: ``[N,K]``, N at least `FEWEST`.
        truth: class indices ``[N]``.
        seed: of the simulation.

    Returns:
        ``n``; the mean ``confidence``; the accuracy ``right`` with its Wilson interval ``low`` to
        ``high``; and the 95 % range of a perfectly calibrated model's share,
        ``expected_low`` to ``expected_high``.
    """
    p = np.exp(log_softmax(logits, axis=1))
    confidence, predicted = p.max(axis=1), p.argmax(axis=1)
    order = np.argsort(confidence, kind="stable")
    starts = bin_starts(len(p), bins_of(len(p)))
    n = np.diff(starts, append=len(p))
    hits = np.add.reduceat((predicted == truth)[order].astype(int), starts)
    trials = (simulated_truths(p, seed, "reliability") == predicted)[:, order].astype(int)
    shares = np.add.reduceat(trials, starts, axis=1) / n
    expected_low, expected_high = np.percentile(shares, [2.5, 97.5], axis=0)
    low, high = zip(*(wilson(h, size) for h, size in zip(hits, n, strict=True)), strict=True)
    return pd.DataFrame(
        {
            "n": n,
            "confidence": np.add.reduceat(confidence[order], starts) / n,
            "right": hits / n,
            "low": low,
            "high": high,
            "expected_low": expected_low,
            "expected_high": expected_high,
        }
    )
