"""Temperature, calibration error and the expectation for a perfectly calibrated model."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import log_softmax, softmax
from scipy.stats import norm
from sklearn.metrics import log_loss as sklearn_log_loss

from stages.evaluate.calibration import (
    SIMULATIONS,
    bin_starts,
    bins_of,
    brier_loss,
    calibration,
    calibration_error,
    calibration_figures,
    nll_change,
    reliability,
    simulated_truths,
)
from twincam.confidence.calibration import FEWEST, confidences, fit_temperature, log_loss
from twincam.files.metrics import spelled

CLASSES = ["a", "b", "c"]


def sampled(
    n: int, seed: int = 0, spread: float = 2.0, k: int = 3
) -> tuple[np.ndarray, np.ndarray]:
    """Return logits of a perfectly calibrated model and truths sampled from them."""
    rng = np.random.default_rng(seed)
    logits = spread * rng.normal(size=(n, k))
    p = softmax(logits, axis=1)
    return logits, (rng.random((n, 1)) > p.cumsum(axis=1)[:, :-1]).sum(axis=1)


def scored(logits: np.ndarray, truth: np.ndarray) -> pd.DataFrame:
    table = pd.DataFrame(logits, columns=[f"logit_{name}" for name in CLASSES])
    return table.assign(id=[f"{i}" for i in range(len(table))], label=np.array(CLASSES)[truth])


@pytest.mark.parametrize("planted", [0.5, 1.0, 3.0])
def test_a_planted_temperature_is_found(planted: float) -> None:
    logits, truth = sampled(20_000)
    found, reason = fit_temperature(scored(planted * logits, truth), CLASSES)
    assert found == pytest.approx(planted, rel=0.04)
    assert reason == ""


def test_repeats_are_further_rows() -> None:
    logits, truth = sampled(300)
    table = scored(2 * logits, truth)
    once, _ = fit_temperature(table, CLASSES)
    twice, _ = fit_temperature(pd.concat([table, table]), CLASSES)
    assert once == pytest.approx(twice, rel=1e-5)


def test_an_unbounded_temperature_is_none() -> None:
    logits, _ = sampled(100)
    right, reason = fit_temperature(scored(logits, logits.argmax(axis=1)), CLASSES)
    assert right is None
    assert "no out-of-fold prediction is wrong" in reason
    wrong, reason = fit_temperature(scored(logits, logits.argmin(axis=1)), CLASSES)
    assert wrong is None
    assert "fits best" in reason
    few, reason = fit_temperature(scored(*sampled(FEWEST - 1)), CLASSES)
    assert few is None
    assert str(FEWEST - 1) in reason
    header = scored(*sampled(5)).head(0).astype(object)
    assert fit_temperature(header, CLASSES)[0] is None


def test_losses_are_those_of_the_definition() -> None:
    logits, truth = sampled(50)
    p = softmax(logits, axis=1)
    assert log_loss(logits, truth).mean() == pytest.approx(sklearn_log_loss(truth, p))
    assert brier_loss(p, truth) == pytest.approx(((p - np.eye(3)[truth]) ** 2).sum(axis=1))
    assert brier_loss(p, np.stack([truth, truth]))[1] == pytest.approx(brier_loss(p, truth))
    assert confidences(logits) == pytest.approx(p.max(axis=1))
    certain = np.array([[1000.0, 0, 0]])
    assert log_loss(certain, np.array([1]))[0] == 1000


def test_calibration_error_by_hand() -> None:
    confidence = np.array([0.9, 0.6, 0.8, 0.7])
    right = np.array([True, True, False, False])
    # bins {0.6, 0.7}: 1 of 2 right against 0.65; {0.8, 0.9}: 1 of 2 against 0.85
    assert calibration_error(confidence, right, 2) == pytest.approx((0.15 + 0.35) / 2)
    assert calibration_error(confidence, right, 1) == pytest.approx(0.25)
    assert calibration_error(confidence, np.stack([right, ~right]), 1).shape == (2,)


@pytest.mark.parametrize(("n", "bins"), [(20, 5), (199, 5), (200, 10), (999, 10), (1000, 15)])
def test_bins_are_equally_sized(n: int, bins: int) -> None:
    assert bins_of(n) == bins
    sizes = np.diff(bin_starts(n, bins), append=n)
    assert sizes.max() - sizes.min() <= 1


def test_a_perfect_model_of_95_images_in_5_bins_errs_by_four_and_seven_hundredths() -> None:
    """The confidences of a detector that is correct on nine of ten, margins normal."""
    margin = np.abs(norm.ppf((np.arange(95) + 0.5) / 95, 3, 1.5))
    logits = np.stack([margin, np.zeros(95)], axis=1)
    assert confidences(logits).mean() == pytest.approx(0.91, abs=0.005)
    figures = calibration_figures(logits, np.zeros(95, int), 0)
    assert figures["ece_expected"] == pytest.approx(0.04, abs=0.004)
    assert figures["ece_expected_high"] == pytest.approx(0.07, abs=0.007)


def test_simulated_truths_occur_as_often_as_their_probability() -> None:
    p = softmax(sampled(40)[0], axis=1)
    truths = simulated_truths(p, 0)
    assert truths.shape == (SIMULATIONS, 40)
    shares = np.stack([(truths == k).mean(axis=0) for k in range(3)], axis=1)
    assert np.abs(shares - p).max() < 5 * np.sqrt(0.25 / SIMULATIONS)


def test_the_band_holds_calibrated_models_and_not_overconfident_ones() -> None:
    """19 of 20 calibrated samples stay below the 95th percentile."""
    inside, rash = 0, 0
    for seed in range(60):
        logits, truth = sampled(100, seed, spread=1.5, k=2)
        for factor in (1, 3):
            p = softmax(factor * logits, axis=1)
            predicted, confidence = p.argmax(axis=1), p.max(axis=1)
            trials = simulated_truths(p, 0) == predicted
            high = np.percentile(calibration_error(confidence, trials, 5), 95)
            below = calibration_error(confidence, truth == predicted, 5) <= high
            inside, rash = inside + (factor == 1 and below), rash + (factor == 3 and below)
    assert 52 <= inside <= 60
    assert rash <= 6


def test_every_figure_lies_in_its_interval() -> None:
    figures = spelled(calibration_figures(*sampled(150), 0))
    for name in ("nll", "brier", "ece"):
        assert figures[f"{name}_low"] < figures[name] < figures[f"{name}_high"]
        assert 0 < figures[f"{name}_expected"] < figures[f"{name}_expected_high"]
    assert spelled(calibration_figures(*sampled(150), 0)) == figures


def test_scaling_repairs_an_overconfident_model_and_reports_it() -> None:
    logits, truth = sampled(400)
    found = spelled(calibration(3 * logits, truth, 3.0, "", 0))
    assert found["temperature"] == 3
    assert found["bins"] == 10
    assert found["after"]["ece"] < found["before"]["ece"]
    assert found["after"]["nll"] == pytest.approx(log_loss(logits, truth).mean())
    change = found["nll_change"]
    assert change == pytest.approx(found["after"]["nll"] - found["before"]["nll"])
    assert found["nll_change_low"] < change < found["nll_change_high"] < 0
    assert found["nll_change_sentence"] == "better after scaling"


def test_a_worse_and_an_idle_temperature_are_distinguished() -> None:
    logits, truth = sampled(400)
    assert nll_change(logits, truth, 5.0, 0)["nll_change_sentence"] == "worse after scaling"
    idle = nll_change(logits, truth, 1.05, 0)
    assert idle["nll_change"].low < 0 < idle["nll_change"].high
    assert idle["nll_change_sentence"].startswith("neither better nor worse")


def test_missing_parts_are_skipped_and_the_rest_remains() -> None:
    without = spelled(calibration(*sampled(30), None, "no scores", 0))
    assert without["skipped"] == "no scores"
    assert without["before"]["ece"] > 0
    assert "after" not in without
    few = calibration(*sampled(FEWEST - 1), 1.5, "", 0)
    assert set(few) == {"skipped", "n"}
    assert f"{FEWEST} are needed" in few["skipped"]


def test_reliability_bins_add_up_and_expect_their_confidence() -> None:
    logits, truth = sampled(103)
    bins = reliability(logits, truth, 0)
    right = logits.argmax(axis=1) == truth
    assert bins["n"].sum() == 103
    assert (bins["n"] * bins["right"]).sum() == pytest.approx(right.sum())
    assert bins["confidence"].is_monotonic_increasing
    gap = (bins["n"] * (bins["right"] - bins["confidence"]).abs()).sum() / 103
    p = np.exp(log_softmax(logits, axis=1))
    assert gap == pytest.approx(calibration_error(p.max(axis=1), right, 5))
    assert (bins["expected_low"] <= bins["confidence"]).all()
    assert (bins["confidence"] <= bins["expected_high"]).all()
    assert (bins["low"] <= bins["right"]).all()
    assert (bins["right"] <= bins["high"]).all()
