"""Each way to collapse breaks its own guard, and a sound network none."""

import numpy as np

from stages.prototypes.guards import (
    Guard,
    broken_sentences,
    duplicates_guard,
    live_guard,
    projection_guard,
    recall_guard,
)
from twincam.explanations.prototypes.contributions import LastLayer

CLASSES = ["a", "b"]
LABELS = np.repeat([0, 1], 20)
OWNER = np.repeat([0, 1], 10)


def logits(right: np.ndarray) -> np.ndarray:
    return np.eye(2)[np.where(right, LABELS, 1 - LABELS)]


def first(count: int, of: int = 40) -> np.ndarray:
    return np.arange(of) < count


def test_a_class_that_is_given_up_breaks_the_recall_guard() -> None:
    sound = recall_guard(LABELS, logits(first(26)), CLASSES)
    assert sound["recall"] == {"a": 1.0, "b": 0.3}
    assert not sound["broken"]
    broken = recall_guard(LABELS, logits(first(24)), CLASSES)
    assert broken["broken"]
    assert broken["sentence"] == "the recall of b is 0.20, below half of chance (0.25)"


def test_chance_falls_with_the_number_of_classes() -> None:
    labels = np.repeat([0, 1, 2, 3], 10)
    predicted = np.where(np.arange(40) % 10 < 2, labels, (labels + 1) % 4)
    guard = recall_guard(labels, np.eye(4)[predicted], ["a", "b", "c", "d"])
    assert guard["least"] == 0.125
    assert not guard["broken"]


def test_one_repeated_patch_breaks_the_duplicates_guard() -> None:
    source = np.array([[n // 2, n % 2, 0] for n in range(20)])
    sound = duplicates_guard(source)
    assert not sound["broken"], "two patches of one image are no copies"
    assert sound["distinct_images"] == 10
    source[1] = source[0]
    broken = duplicates_guard(source)
    assert broken["broken"]
    assert broken["copies"] == 1


def live(weight: np.ndarray, removed: list[int]) -> Guard:
    return live_guard(LastLayer(OWNER, weight, np.zeros(2)), removed, CLASSES)


def test_fewer_than_half_alive_breaks_the_live_guard_and_names_the_class() -> None:
    weight = np.ones(20)
    weight[:5] = 0
    assert not live(weight, [])["broken"]
    weight[5] = 0
    broken = live(weight, [])
    assert broken["broken"]
    assert "a 4 of 10" in broken["sentence"]
    assert "b" not in broken["sentence"].split("fewer")[0].split(":")[1]


def test_what_a_person_removed_is_not_asked_for() -> None:
    weight = np.ones(20)
    weight[:6] = 0
    removed = [0, 1, 2, 3, 4, 5]
    guard = live(weight, removed)
    assert not guard["broken"]
    assert guard["asked"] == {"a": 4, "b": 10}
    weight[6:9] = 0
    assert live(weight, removed)["broken"], "one of four that stay"


def test_a_significant_loss_breaks_the_projection_guard_and_a_gain_does_not() -> None:
    many, few = logits(first(40)), logits(first(30))
    broken = projection_guard(LABELS, many, few, 0)
    assert broken["broken"]
    assert broken["p"] < 0.05
    lost = broken["difference"]
    assert lost.low < lost.value == -0.25 < lost.high < 0
    assert not projection_guard(LABELS, few, many, 0)["broken"]
    assert not projection_guard(LABELS, many, logits(first(37)), 0)["broken"], "three of forty"


def test_only_the_broken_guards_are_reported() -> None:
    guards = {
        "recall": recall_guard(LABELS, logits(first(24)), CLASSES),
        "projection": projection_guard(LABELS, logits(first(40)), logits(first(40)), 0),
    }
    assert broken_sentences(guards) == [guards["recall"]["sentence"]]
