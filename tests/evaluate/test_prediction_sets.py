"""Sets have their nominal coverage."""

import numpy as np
import pandas as pd
import pytest

from twincam.confidence.prediction_sets import prediction_sets, thresholds, unsure_by_set

CLASSES = ["fake", "real"]


def sampled(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return logits and class indices; the second class is much harder than the first."""
    truth = rng.integers(0, 2, n)
    logits = rng.normal(size=(n, 2))
    logits[np.arange(n), truth] += np.where(truth == 1, 0.7, 3.0)
    return logits, truth


def scored(logits: np.ndarray, truth: np.ndarray) -> pd.DataFrame:
    table = pd.DataFrame(logits, columns=[f"logit_{name}" for name in CLASSES])
    return table.assign(id=[f"{i:04d}" for i in range(len(table))], label=np.array(CLASSES)[truth])


@pytest.mark.parametrize("alpha", [0.05, 0.2])
def test_each_class_is_covered_as_often_as_nominal_on_average(alpha: float) -> None:
    """Of exchangeable images, and not much more often: the sets are no larger than necessary.

    The predicted class is always in its set, so coverage is at least the accuracy.
    """
    rng = np.random.default_rng(0)
    covered, right = [], []
    for _ in range(150):
        limits, _ = thresholds(scored(*sampled(120, rng)), CLASSES, alpha)
        assert limits is not None
        logits, truth = sampled(400, rng)
        held = prediction_sets(logits, limits, CLASSES)[np.arange(400), truth]
        hits = logits.argmax(axis=1) == truth
        covered.append([held[truth == k].mean() for k in (0, 1)])
        right.append([hits[truth == k].mean() for k in (0, 1)])
    means = np.mean(covered, axis=0)
    error = np.std(covered, axis=0) / np.sqrt(len(covered))
    assert (means > 1 - alpha - 3 * error).all()
    most = np.maximum(1 - alpha + 1 / 50, np.mean(right, axis=0))
    assert (means < most + 3 * error).all()


def test_the_predicted_class_is_always_in_its_set() -> None:
    """Ambiguous images of an accurate model would else have an empty set, or another class's."""
    logits = np.array([[0.1, 0.0], [0.0, 5.0], [0.1, 0.0]])
    narrow = prediction_sets(logits, {"fake": 0.1, "real": 0.1}, CLASSES)
    assert narrow.tolist() == [[True, False], [False, True], [True, False]]
    assert unsure_by_set(narrow).tolist() == [False, False, False]
    wide = prediction_sets(logits, {"fake": 0.1, "real": 1.0}, CLASSES)
    assert wide.tolist() == [[True, True], [False, True], [True, True]]
    assert unsure_by_set(wide).tolist() == [True, False, True]


def test_the_threshold_is_the_score_of_its_rank() -> None:
    p = np.linspace(0.99, 0.50, 19)
    logits = np.log(np.stack([p, 1 - p], axis=1))
    both = np.concatenate([logits, logits[:, ::-1]])
    table = scored(both, np.repeat([0, 1], 19))
    limits, reason = thresholds(table, CLASSES, 0.05)
    assert reason == ""
    assert limits is not None
    assert limits == pytest.approx(dict.fromkeys(CLASSES, -np.log(0.5)))
    tenth, _ = thresholds(table, CLASSES, 0.5)
    assert tenth is not None
    assert tenth["fake"] == pytest.approx(-np.log(p[9]))


def test_too_few_images_of_a_class_are_named() -> None:
    table = scored(np.zeros((38, 2)), np.repeat([0, 1], 19))
    assert thresholds(table, CLASSES, 0.05)[0] is not None
    limits, reason = thresholds(table.iloc[:-1], CLASSES, 0.05)
    assert limits is None
    assert "'real' has out-of-fold scores of 18 training images, 19 are needed" in reason
    header = table.head(0).astype(object)
    assert thresholds(header, CLASSES, 0.05)[0] is None


def test_repeats_of_an_image_count_once_by_their_mean() -> None:
    rng = np.random.default_rng(0)
    logits, truth = sampled(60, rng)
    table = scored(logits, truth)
    once, _ = thresholds(table, CLASSES, 0.1)
    twice, _ = thresholds(pd.concat([table, table]), CLASSES, 0.1)
    assert twice == pytest.approx(once)
    other = table.assign(logit_fake=table["logit_fake"] + 1)
    mixed, _ = thresholds(pd.concat([table, other]), CLASSES, 0.1)
    assert mixed != pytest.approx(once)
    few = pd.concat([table.head(10)] * 10)
    assert thresholds(few, CLASSES, 0.1)[0] is None


def test_scores_of_saturated_probabilities_stay_apart() -> None:
    sets = prediction_sets(np.array([[900.0, 0], [400.0, 0]]), {"fake": 0.1, "real": 500}, CLASSES)
    assert sets.tolist() == [[True, False], [True, True]]
