"""The risk-coverage curve against counts by hand, chance and the oracle."""

import numpy as np
import pandas as pd
import pytest

from stages.evaluate.selective import risk_coverage, selective_figures, selective_risks
from twincam.files.metrics import spelled
from twincam.statistics.intervals import wilson


def rows(confidence: np.ndarray, right: np.ndarray, split: str = "val") -> pd.DataFrame:
    label = np.resize(["fake", "real"], len(right))
    other = np.resize(["real", "fake"], len(right))
    table = pd.DataFrame({"label": label, "confidence": confidence, "split": split})
    return table.assign(predicted=np.where(right, label, other))


def test_risks_by_hand_whatever_the_order() -> None:
    confidence = np.array([0.6, 0.9, 0.7, 0.8])
    right = np.array([True, True, False, True])
    risks = selective_risks(confidence, right)
    assert risks == pytest.approx([0, 0, 1 / 3, 1 / 4])
    assert selective_risks(confidence[::-1], right[::-1]) == pytest.approx(risks)


def test_ties_come_in_the_mean_order() -> None:
    confidence = np.array([0.9, 0.5, 0.5, 0.5])
    right = np.array([True, False, True, True])
    orders = [[True, *np.roll([False, True, True], k)] for k in range(3)]
    mean = np.mean([selective_risks(np.arange(4.0)[::-1], np.array(one)) for one in orders], axis=0)
    assert selective_risks(confidence, right) == pytest.approx(mean)


def test_chance_and_oracle_bound_the_area() -> None:
    rng = np.random.default_rng(0)
    right = rng.random(200) < 0.8
    good = spelled(selective_figures(rows(right + rng.normal(size=200), right), 0))
    assert good["aurc_low"] < good["aurc"] < good["aurc_high"] < good["aurc_random"]
    assert good["aurc_random"] == pytest.approx((~right).mean())
    best = spelled(selective_figures(rows(right.astype(float), right), 0))
    assert best["aurc"] == best["aurc_oracle"] == good["aurc_oracle"]
    assert best["aurc_oracle"] < good["aurc"]
    blind = spelled(selective_figures(rows(np.full(200, 0.9), right), 0))
    assert blind["aurc"] == pytest.approx(blind["aurc_random"])
    backwards = spelled(selective_figures(rows(-right.astype(float), right), 0))
    assert backwards["aurc"] > backwards["aurc_random"]


def test_no_error_is_not_certainty() -> None:
    found = spelled(selective_figures(rows(np.linspace(0.5, 1, 30), np.ones(30, bool)), 0))
    assert found["aurc"] == found["aurc_low"] == 0
    assert found["aurc_high"] == wilson(0, 30)[1]


def test_curves_end_at_the_error_of_their_split() -> None:
    right = np.array([True, False, True, True])
    table = pd.concat([rows(np.arange(4), right), rows(np.arange(4), ~right, "test")])
    ends = risk_coverage(table).groupby("split").last()
    assert ends["coverage"].tolist() == [1, 1]
    assert ends["risk"].to_dict() == {"test": 0.75, "val": 0.25}
