"""Folds keep groups together and classes balanced, and every image is scored once a repeat."""

import numpy as np
import pandas as pd
import pytest

from stages.crossval.folds import divide, refits, too_few, without_a_class
from stages.crossval.params import Crossval
from twincam.deliveries import DELIVERIES
from twincam.training.originals import table_of_deliveries


def images(groups: int = 30, copies: int = 2) -> pd.DataFrame:
    """Return training images at rows 100, 101, …: of each group ``copies``."""
    group = np.repeat(np.arange(groups), copies)
    count = len(group)
    table = {
        "id": [f"i{k:03d}" for k in range(count)],
        "label": np.where(group % 3 == 0, "fake", "real"),
        "group": group.astype(str),
    }
    return pd.DataFrame(table, index=np.arange(100, 100 + count))


def test_each_repeat_scores_every_image_once_and_by_no_model_trained_on_its_group() -> None:
    train = images()
    divided = divide(train, Crossval(folds=4, repeats=3), 0)
    for _, rows in divided.groupby("repeat"):
        assert sorted(rows["id"]) == list(train["id"])
    group = train["group"]
    parts = list(refits(divided))
    assert len(parts) == 12
    for part in parts:
        assert not set(group[part.train]) & set(group[part.held_out])
        assert sorted([*part.train, *part.held_out]) == list(train.index)
    scored = np.concatenate([part.held_out for part in parts])
    assert list(scored) == list(divided["row"])


def test_folds_have_both_classes_in_proportion() -> None:
    train = images(groups=60)
    divided = divide(train, Crossval(folds=5, repeats=1), 1)
    shares = (divided["label"] == "fake").groupby(divided["fold"]).mean()
    assert shares.between(0.25, 0.42).all()


def test_repeats_and_seeds_divide_differently_and_the_same_seed_equally() -> None:
    train, settings = images(), Crossval(folds=3, repeats=2)
    divided = divide(train, settings, 0)
    first, second = (
        rows.set_index("id")["fold"].sort_index() for _, rows in divided.groupby("repeat")
    )
    assert (first != second).any()
    assert divided.equals(divide(train, settings, 0))
    assert not divided.equals(divide(train, settings, 1))


@pytest.mark.parametrize(
    ("folds", "words"), [(0, "crossval.folds is 0"), (11, "class 'fake' has 10 independent")]
)
def test_too_few_groups_are_reported(folds: int, words: str) -> None:
    reason = too_few(images(), Crossval(folds=folds, repeats=1))
    assert reason
    assert words in reason
    assert too_few(images(), Crossval(folds=10, repeats=1)) == ""


def test_a_fold_that_holds_a_whole_class_is_reported() -> None:
    divided = pd.DataFrame(
        {
            "repeat": [1] * 4 + [2] * 4,
            "fold": [1, 1, 2, 2] * 2,
            "label": ["fake", "real"] * 2 + ["fake", "fake", "real", "real"],
        }
    )
    assert "every image of class 'fake'" in without_a_class(divided)
    assert without_a_class(divided[divided["repeat"] == 1]) == ""
    assert without_a_class(divide(images(), Crossval(folds=5, repeats=2), 0)) == ""


def test_one_fold_is_rejected() -> None:
    with pytest.raises(ValueError, match="2 and more"):
        Crossval(folds=1, repeats=1)


def test_the_deliveries_of_an_image_follow_each_other() -> None:
    divided = divide(images(), Crossval(folds=3, repeats=2), 0)
    logits = np.random.default_rng(0).normal(size=(len(divided), len(DELIVERIES), 2))
    table = table_of_deliveries(divided.drop(columns="row"), logits, ["fake", "real"])
    assert list(table)[:5] == ["id", "repeat", "fold", "label", "delivery"]
    assert table["delivery"].tolist() == [*DELIVERIES] * len(divided)
    own = table[table["delivery"] == DELIVERIES[2]].reset_index(drop=True)
    assert own["id"].tolist() == divided["id"].tolist()
    assert (own[["logit_fake", "logit_real"]].to_numpy() == logits[:, 2]).all()
