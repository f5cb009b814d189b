"""Figures and intervals of numbers whose sums are known."""

import numpy as np
import pytest
from scipy import stats

from stages.faithfulness.controls import CONTROLS
from stages.faithfulness.measures import BASELINES, FRACTIONS, KINDS, Measured
from stages.faithfulness.summary import (
    BETTER,
    COLUMNS,
    Score,
    by_baseline,
    curve_table,
    headlines,
    metrics_of,
    ratio,
    resamples,
    scores_of,
    series_metrics,
)
from twincam.files.metrics import Estimate, spelled

N = 40
RNG = np.random.default_rng(0)
ONES = np.ones(N)


def same_controls(values: np.ndarray) -> dict[str, np.ndarray]:
    return dict.fromkeys(CONTROLS, values)


def test_a_margin_near_0_weighs_little() -> None:
    margin = np.array([4.0, 4.0, 0.001, 3.0])
    areas = np.array([1.0, 1.0, 5.0, 1.0])
    found = ratio(areas, margin, resamples(4, 0))
    assert found.value == pytest.approx(8 / 11.001)
    assert found.low < found.value < found.high


def test_the_interval_of_a_mean_is_as_wide_as_it_should_be() -> None:
    values = np.random.default_rng(1).normal(3, 2, 400)
    found = ratio(values, np.ones(400), resamples(400, 0))
    half = 1.96 * values.std() / np.sqrt(400)
    assert found.value == pytest.approx(values.mean())
    assert found.high - found.value == pytest.approx(half, rel=0.1)
    assert found.value - found.low == pytest.approx(half, rel=0.1)


def test_a_share_of_images_has_wilsons_interval() -> None:
    found = ratio(np.zeros(10, bool), np.ones(10), resamples(10, 0))
    wilson = stats.binomtest(0, 10).proportion_ci(method="wilson")
    assert (found.value, found.high) == pytest.approx((0, wilson.high))


def test_differences_are_paired_and_positive_where_the_map_is_better() -> None:
    own = np.random.default_rng(1).normal(0, 5, N)
    for name, sign in BETTER.items():
        score = Score(own, same_controls(own - sign), ONES)
        metrics = spelled(metrics_of({name: score}, ONES, 0))
        for control in CONTROLS:
            over = f"{name}_over_{control}"
            ends = [metrics[f"{over}{end}"] for end in ("", "_low", "_high")]
            assert ends == pytest.approx([1, 1, 1])
            assert metrics["controls"][control][name] == pytest.approx((own - sign).mean())
        assert metrics[f"{name}_high"] - metrics[f"{name}_low"] > 2
        assert metrics["n"] == N


def test_each_class_by_itself_and_one_image_has_no_interval() -> None:
    labels = np.array(["a"] * 30 + ["b"] * 9 + ["c"])
    own = np.where(labels == "a", 1.0, 3.0) + RNG.normal(0, 0.1, N)
    score = Score(own, same_controls(own), ONES)
    by_class = spelled(metrics_of({"road": score}, labels, 0))["by_class"]
    assert {name: found["n"] for name, found in by_class.items()} == {"a": 30, "b": 9, "c": 1}
    assert by_class["a"]["road"] == pytest.approx(own[:30].mean())
    assert by_class["b"]["road_low"] < by_class["b"]["road"] < by_class["b"]["road_high"]
    assert set(by_class["c"]) == {"n"}


@pytest.fixture
def straight() -> tuple[Measured, np.ndarray]:
    """Return curves that fall and rise in a line, from 2 to 0 on blur and from 2 to -2 on mean."""
    logits = np.tile([1.0, -1.0, -9.0], (N, 1))
    fall = 2 * (1 - np.array(FRACTIONS))[:, None] * np.ones(N)
    one = np.stack([[fall, fall[::-1]], [2 * fall - 2, (2 * fall - 2)[::-1]]])
    road, kept = np.full((5, N), 0.5), np.full((5, N), 0.25)
    kept[0, : N // 2] = 1
    return Measured(np.stack([one] * 5), road, kept), logits


def test_scores_are_shares_of_the_margin_and_of_the_probability(
    straight: tuple[Measured, np.ndarray],
) -> None:
    metrics = spelled(metrics_of(scores_of(*straight), ONES, 0))
    sure = 1 / (1 + np.exp(-2) + np.exp(-10))
    assert metrics["deletion"] == pytest.approx((0.5 + 0) / 2)
    assert metrics["insertion"] == pytest.approx((0.5 + 0) / 2)
    assert metrics["road"] == pytest.approx(0.25)
    assert metrics["average_drop"] == pytest.approx((sure - 0.25) / sure / 2)
    assert metrics["increase"] == 0.5
    assert metrics["controls"]["noise"]["increase"] == 0
    assert metrics["average_drop_over_noise"] == pytest.approx(metrics["average_drop"])


def test_each_baseline_has_its_area_and_what_it_leaves(
    straight: tuple[Measured, np.ndarray],
) -> None:
    found = spelled(by_baseline(straight[0], 2 * ONES, 0))
    assert found["blur"]["deletion"] == pytest.approx(0.5)
    assert found["blur"]["emptied"] == pytest.approx(0)
    assert found["mean"]["insertion"] == pytest.approx(0)
    assert found["mean"]["emptied"] == pytest.approx(-1)


def test_curve_points_name_what_they_are_of(straight: tuple[Measured, np.ndarray]) -> None:
    table = curve_table("layercam", straight[0], 2 * ONES, 0)
    assert list(table.columns) == COLUMNS
    assert len(table) == 5 * 2 * 2 * 9
    points = table.set_index(["map", "baseline", "kind", "fraction"])["margin"]
    assert set(table["map"]) == {"layercam", *CONTROLS}
    assert set(table["kind"]) == set(KINDS)
    assert set(table["baseline"]) == set(BASELINES)
    for name in table["map"].unique():
        assert points[name, "blur", "deletion", 0.25] == pytest.approx(0.75)
        assert points[name, "mean", "deletion", 1.0] == pytest.approx(-1)
        assert points[name, "mean", "insertion", 0.0] == pytest.approx(-1)
        assert points[name, "blur", "insertion", 1.0] == pytest.approx(1)
    assert (table["margin_low"] <= table["margin"] + 1e-9).all()
    assert (table["margin"] <= table["margin_high"] + 1e-9).all()


def test_every_step_of_the_randomisation_has_both_correlations() -> None:
    steps = {"head": (0.5 * ONES, 0.7 * ONES), "block_0": (-0.5 * ONES, 0 * ONES)}
    found = spelled(series_metrics(steps, 0))
    assert found["head"]["spearman"] == 0.5
    assert found["head"]["spearman_absolute_high"] == pytest.approx(0.7)
    assert found["block_0"]["spearman"] == -0.5


def test_the_headline_is_the_lead_of_the_first_methods_deletion() -> None:
    name = "deletion_over_other_image"
    lead = Estimate(0.3, 0.2, 0.4, 48)
    details = {"heatmaps": {"occlusion": {}, "gradcam": {name: lead, "road": lead}}}
    assert headlines(details) == {name: lead}
    assert headlines({"skipped": "faithfulness.images is 0"}) == {}
