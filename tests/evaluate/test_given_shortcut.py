"""The figures given a shortcut: where it fails, and among images of equal shortcut score."""

import numpy as np
import pandas as pd

from stages.evaluate.given_shortcut import (
    conditional_auc,
    given_shortcut,
    given_shortcuts,
    strata_of,
)
from twincam.files.metrics import spelled
from twincam.statistics.estimates import NOTHING
from twincam.statistics.ranking import auc

CLASSES = ["fake", "real"]


def table(score: np.ndarray, label: np.ndarray) -> pd.DataFrame:
    """Return predictions whose probability of ``real`` is ``score``."""
    found = pd.DataFrame({"id": [f"{i:03}" for i in range(len(score))], "label": label})
    return found.assign(
        predicted=np.where(score > 0.5, "real", "fake"), p_fake=1 - score, p_real=score
    )


def sampled(n: int = 400) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return truth, a shortcut's score and an independent detector's score."""
    rng = np.random.default_rng(0)
    truth = rng.random(n) < 0.5
    shortcut, detector = (1 / (1 + np.exp(-(rng.normal(size=n) + 3 * truth - 1.5))) for _ in "ab")
    return np.where(truth, "real", "fake"), shortcut, detector


def test_a_copy_of_the_shortcut_is_no_better_where_it_fails() -> None:
    label, shortcut, detector = sampled()
    copy = spelled(given_shortcut(table(shortcut, label), table(shortcut, label), CLASSES, 0))
    assert copy["accuracy_where_wrong"] == 0
    assert copy["auc_given"] < 0.6
    other = spelled(given_shortcut(table(detector, label), table(shortcut, label), CLASSES, 0))
    assert other["accuracy_where_wrong"] > 0.8
    assert other["auc_given_low"] > copy["auc_given_high"]
    assert other["auc_given_low"] < other["auc_given"] < other["auc_given_high"]


def test_rows_are_matched_by_image() -> None:
    label, shortcut, detector = sampled()
    ordered = given_shortcut(table(detector, label), table(shortcut, label), CLASSES, 0)
    mixed = table(shortcut, label).sample(frac=1, random_state=0)
    assert given_shortcut(table(detector, label), mixed, CLASSES, 0) == ordered


def test_a_perfect_shortcut_leaves_nothing_to_measure() -> None:
    label, _, detector = sampled()
    perfect = table((label == "real").astype(float), label)
    found = given_shortcut(table(detector, label), perfect, CLASSES, 0)
    assert found["n_wrong"] == found["pairs"] == 0
    assert found["accuracy_where_wrong"] == found["auc_given"] == NOTHING


def test_conditional_auc_counts_only_pairs_within_strata() -> None:
    positive = np.array([True, False, True, False])
    score = np.array([0.2, 0.1, 0.8, 0.9])
    assert conditional_auc(positive, score, np.array([0, 0, 1, 1])) == (0.5, 2)
    assert conditional_auc(positive, score, np.array([0, 0, 0, 1])) == (1.0, 2)
    assert conditional_auc(positive, score, np.arange(4))[1] == 0


def test_one_stratum_gives_the_plain_auc_with_ties() -> None:
    label, shortcut, _ = sampled()
    positive, score = label == "real", np.round(shortcut, 1)
    value, pairs = conditional_auc(positive, score, np.zeros(len(score), int))
    assert value == auc(positive, score)
    assert pairs == positive.sum() * (~positive).sum()


def test_equal_scores_share_a_stratum() -> None:
    known = np.array([0.0] * 70 + [1.0] * 30)
    strata = strata_of(known)
    assert len(set(strata[:70])) == len(set(strata[70:])) == 1
    assert strata[0] != strata[-1]


def test_without_an_audit_nothing_is_added() -> None:
    label, _, detector = sampled()
    empty = pd.DataFrame(columns=["images", "descriptor", "id", "split", "predicted"])
    assert given_shortcuts(table(detector, label), empty, CLASSES, 0) == {}
    both = table(detector, label).assign(images="raw", descriptor="colour")
    found = given_shortcuts(table(detector, label), both, CLASSES, 0)
    wrong = int((label != both["predicted"]).sum())
    assert found["given_shortcut"]["raw"]["colour"]["n_wrong"] == wrong
