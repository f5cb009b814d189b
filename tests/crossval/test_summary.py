"""Out-of-fold figures, computed by hand."""

import numpy as np
import pandas as pd
import pytest

from stages.crossval.summary import (
    contradicted,
    gain_over,
    headlines,
    summarise,
)
from twincam.files.metrics import spelled
from twincam.statistics.intervals import wilson

CLASSES = ["fake", "real"]


def scored(margins: dict[str, list[float]], labels: dict[str, str]) -> pd.DataFrame:
    """Return a table of ``logit_fake = margin, logit_real = 0``; folds alternate."""
    rows = [
        {
            "id": name,
            "repeat": repeat,
            "fold": 1 + number % 2,
            "label": labels[name],
            "logit_fake": margin,
            "logit_real": 0.0,
        }
        for number, (name, of_repeats) in enumerate(margins.items())
        for repeat, margin in enumerate(of_repeats, 1)
    ]
    return pd.DataFrame(rows)


LABELS = {"a": "fake", "b": "fake", "c": "real", "d": "real"}
TABLE = scored({"a": [2, 1], "b": [-3, 1], "c": [-1, -1], "d": [4, 2]}, LABELS)


def test_an_image_counts_once_however_often_it_is_scored() -> None:
    figures = spelled(summarise(TABLE, CLASSES, 0))
    assert figures["n"] == 4
    assert figures["accuracy"] == pytest.approx((1 + 0.5 + 1 + 0) / 4)
    assert figures["accuracy_low"] == pytest.approx(wilson(2.5, 4)[0])
    assert figures["per_class"]["fake"]["recall"] == pytest.approx(0.75)
    assert figures["majority_share"] == 0.5
    unequal = summarise(TABLE[TABLE["id"] != "a"], CLASSES, 0)
    assert unequal["majority_share"] == pytest.approx(2 / 3)
    assert figures["per_class"]["real"]["n"] == 2


def test_the_gain_over_a_linear_probe_is_paired_by_image() -> None:
    probed = scored({"a": [2, -1], "b": [-3, 1], "c": [1, 1], "d": [4, 2]}, LABELS)
    figures = gain_over(probed, "linear_probe", TABLE, CLASSES, 0)
    # right in both repeats, in one or in none: a 1 and 1/2, b 1/2 and 1/2, c 1 and 0, d 0 and 0
    assert figures["accuracy_linear_probe"].value == pytest.approx(0.25)
    gain = figures["accuracy_over_linear_probe"]
    assert gain.value == pytest.approx((0.5 + 0 + 1 + 0) / 4)
    assert gain.low >= 0


def test_the_gain_over_the_images_as_they_are_is_paired_by_image() -> None:
    plain = scored({"a": [-2, 1], "b": [-3, 1], "c": [-1, -1], "d": [4, -2]}, LABELS)
    figures = gain_over(plain, "as_is", TABLE, CLASSES, 0)
    # right in both repeats, in one or in none: a 1 and 1/2, b 1/2 twice, c 1 twice, d 0 and 1/2
    assert figures["accuracy_as_is"].value == pytest.approx(0.625)
    assert figures["accuracy_over_as_is"].value == pytest.approx(0)


def test_headlines_are_accuracy_and_auc_out_of_fold() -> None:
    details = summarise(TABLE, CLASSES, 0)
    assert headlines(details) == {
        "accuracy": details["accuracy"],
        "roc_auc": details["roc_auc"].value,
    }
    assert headlines({"skipped": "crossval.folds is 0"}) == {}


def test_spread_over_folds_and_repeats() -> None:
    figures = spelled(summarise(TABLE, CLASSES, 0))
    # repeat 1: a, c right in fold 1; b, d wrong in fold 2; repeat 2: a, c and b right, d wrong
    assert figures["of_folds"]["lowest"] == 0
    assert figures["of_folds"]["highest"] == 1
    assert figures["of_folds"]["count"] == 4
    assert figures["of_repeats"]["lowest"] == pytest.approx(0.5)
    assert figures["of_repeats"]["highest"] == pytest.approx(0.75)
    assert "of_repeats" not in summarise(TABLE[TABLE["repeat"] == 1], CLASSES, 0)


def test_auc_is_the_mean_over_repeats_and_its_interval_counts_images() -> None:
    rng = np.random.default_rng(0)
    names = [f"{k:02d}" for k in range(60)]
    labels = {name: CLASSES[k % 2] for k, name in enumerate(names)}
    gaps = {name: [1.0 if labels[name] == "fake" else -1.0] for name in names}
    once = scored({name: [gaps[name][0] + rng.normal(scale=2)] for name in names}, labels)
    thrice = pd.concat([once.assign(repeat=repeat) for repeat in (1, 2, 3)], ignore_index=True)
    one, three = (
        spelled(summarise(table.sample(frac=1, random_state=0), CLASSES, 0))
        for table in (once, thrice)
    )
    pairs = [
        a > b
        for a in once.loc[once["label"] == "fake", "logit_fake"]
        for b in once.loc[once["label"] == "real", "logit_fake"]
    ]
    assert one["roc_auc"] == pytest.approx(np.mean(pairs))
    for key in ("roc_auc", "roc_auc_low", "roc_auc_high"):
        assert three[key] == pytest.approx(one[key])
    assert one["roc_auc_low"] < one["roc_auc"] < one["roc_auc_high"]


def test_contradicted_labels_are_sorted_by_probability() -> None:
    paths = pd.Series({name: f"{name}.png" for name in LABELS})
    table = contradicted(TABLE, paths, CLASSES)
    assert table["id"].tolist() == ["d", "b"]
    assert table["predicted"].tolist() == ["fake", "real"]
    p = 1 - np.mean([1 / (1 + np.exp(-4)), 1 / (1 + np.exp(-2))])
    assert table["p_label"].iloc[0] == pytest.approx(p)
    assert table["path"].iloc[0] == "d.png"
