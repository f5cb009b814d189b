"""A planted shortcut is found and named, chance is not, and small data sets are skipped."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from stages.audit.__main__ import require_below
from stages.audit.models import PENALTIES, Data, best_logistic, folds
from stages.audit.shortcuts import (
    FEWEST_SCORED,
    FEWEST_TRAINED,
    audit,
    headlines,
    sentences,
    too_few,
)
from tests.conftest import change_params, run_in
from twincam.files.errors import UserError
from twincam.files.metrics import Estimate, read_metrics

CLASSES = ["fake", "real"]


def images(n: int = 200) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"id": [f"{i:03}" for i in range(n)], "label": CLASSES * (n // 2)})
    part = np.where(rng.random(n) < 0.6, "train", np.where(rng.random(n) < 0.8, "val", "test"))
    return table.assign(split=part, group=table["id"])


def measured(split: pd.DataFrame, features: pd.DataFrame, name: str) -> dict[str, Any]:
    return audit(split, features, CLASSES, 40, 0, name)[0]


def test_one_predictive_feature_among_many_is_found_and_named() -> None:
    split = images()
    noise = np.random.default_rng(1).normal(size=(len(split), 12))
    features = pd.DataFrame(noise, columns=[f"noise {k}" for k in range(12)])
    features["format = PNG"] = (split["label"] == "fake").astype(float)
    found = measured(split, features, "metadata")
    assert found["model"] == "stump"
    assert found["accuracy"].value == found["auc"] == 1
    assert found["stump"]["feature"] == "format = PNG"
    assert found["p"] == pytest.approx(1 / 41)
    assert found["n"] == (split["split"] == "val").sum()
    (sentence, _) = sentences({"metadata": found}, {})
    assert sentence.startswith("Metadata (format = PNG) of the original files correctly")


def test_noise_is_no_shortcut() -> None:
    split = images()
    features = pd.DataFrame(np.random.default_rng(2).normal(size=(len(split), 30)))
    found = measured(split, features, "colour")
    assert found["accuracy"].low < 0.5 < found["accuracy"].high
    assert found["p"] > 0.05
    assert 0.4 < found["chance"] < 0.6
    assert all("No model" in words for words in sentences({"colour": found}, {"colour": found}))


def test_a_descriptor_that_says_nothing_is_as_good_as_chance() -> None:
    split = images()
    found = measured(split, pd.DataFrame({"nothing": np.zeros(len(split))}), "colour")
    assert found["p"] == 1
    assert found["chance"] == found["chance_high"] == found["accuracy"].value


def test_folds_that_lack_a_class_leave_the_penalty_to_the_data() -> None:
    """Groups that hold several classes cause them; every penalty then had the same loss, NaN."""
    rng = np.random.default_rng(2)
    groups = np.repeat(np.arange(10), rng.integers(4, 16, 10))
    of_fakes = rng.choice([0.0, 0.02, 0.5, 1.0], 10)[groups]
    labels = np.where(rng.random(len(groups)) < of_fakes, "fake", "real")
    noise = rng.normal(size=(len(groups), 3))
    data = Data(pd.DataFrame(noise + 1.5 * (labels == "fake")[:, None]), labels, groups)
    divided = folds(data, 0)
    parts = divided.split(data.features, labels, groups)
    assert min(len(np.unique(labels[test])) for _, test in parts) == 1
    assert min(PENALTIES) < best_logistic(data, divided).named_steps["logisticregression"].C


def test_the_model_is_the_one_that_fits_best() -> None:
    split, fake = images(), (images()["label"] == "fake").to_numpy()
    rng = np.random.default_rng(3)
    middle = np.where(fake, 0, rng.choice([-1, 1], len(split))) + rng.normal(0, 0.1, len(split))
    sides = rng.normal(size=(len(split), 8))
    sides[:, 0] += np.where(fake, 2, -2) - sides[:, 1:].sum(axis=1)
    found = measured(split, pd.DataFrame({"bytes": middle}), "metadata")
    assert found["model"] == "tree"
    assert found["accuracy"].value > 0.95 > found["stump"]["accuracy"].value
    assert measured(split, pd.DataFrame(sides), "metadata")["model"] == "logistic"


def test_scores_are_of_images_that_the_model_was_not_fitted_on() -> None:
    split = images()
    features = pd.DataFrame(np.random.default_rng(2).normal(size=(len(split), 3)))
    _, table = audit(split, features, CLASSES, 20, 0, "colour")
    unseen = split[split["split"] != "train"]
    assert list(table["id"]) == list(unseen["id"])
    assert table[["p_fake", "p_real"]].sum(axis=1).to_numpy() == pytest.approx(1)


def test_labels_of_val_are_not_used_in_the_fit() -> None:
    split = images()
    features = pd.DataFrame({"bytes": (split["label"] == "fake").astype(float)})
    other = split["label"].map({"fake": "real", "real": "fake"})
    turned = split.assign(label=split["label"].where(split["split"] != "val", other))
    assert measured(turned, features, "metadata")["accuracy"].value == 0


def test_too_few_images_are_reported() -> None:
    split = images()
    assert too_few(split) is None
    enough = split[split["split"] == "train"].groupby("label").head(FEWEST_TRAINED)
    assert too_few(pd.concat([enough, split[split["split"] == "val"].head(FEWEST_SCORED)])) is None
    some = split.groupby("split").head(8)
    assert "8 images in val" in str(too_few(some))
    one_group = split.assign(group=split["group"].where(split["label"] == "fake", "same"))
    assert "1 independent training images" in str(too_few(one_group))


def accuracy(value: float) -> dict[str, Estimate]:
    return {"accuracy": Estimate(value, value - 0.1, value + 0.1, 40)}


DETAILS = {
    "harmonised": {"colour": accuracy(0.81), "metadata": accuracy(0.6)},
    "raw": {"colour": accuracy(1.0)},
}


def test_the_headline_is_the_strongest_shortcut_in_the_harmonised_images() -> None:
    assert headlines(DETAILS) == {"shortcut_accuracy": accuracy(0.81)["accuracy"]}
    assert headlines({"skipped": "8 images in val"}) == {}


def test_only_what_is_significant_by_both_measures_is_a_sentence() -> None:
    found = {**accuracy(0.81), "n": 40, "model": "linear", "chance": 0.5, "chance_high": 0.6}
    by_chance, below = {**found, "p": 0.3}, {**found, "p": 0.01, "chance": 0.75}
    clear = {**found, "p": 0.01}
    (only,) = sentences({"bytes": clear, "colour": by_chance, "spectrum": below}, {})[:-1]
    assert only.startswith("Bytes of the original files")
    assert sentences({"colour": by_chance}, {"colour": below}) == [
        "No model of the original files is significantly better than chance.",
        "No model of the prepared images is significantly better than chance.",
    ]


def test_exceeding_the_limit_fails_the_stage() -> None:
    require_below(None, DETAILS)
    require_below(0.9, DETAILS)
    with pytest.raises(UserError, match=r"colour of the prepared.*81\.0 %.*raise the limit"):
        require_below(0.8, DETAILS)


def test_a_file_format_for_one_class_is_named_and_gone_after_harmonising(project: Path) -> None:
    change_params(project, {"synthesize": {"shortcut": "global", "pairs": 40}})
    run_in(project, "dvc", "repro", "audit")
    found = read_metrics(project / "reports" / "details" / "audit.json")
    assert found["raw"]["metadata"]["accuracy"] == 1
    assert found["raw"]["metadata"]["stump"]["feature"].startswith(("format", "JPEG"))
    assert found["harmonised"]["metadata"]["accuracy_low"] < 0.6
    assert any("of the original files correctly" in words for words in found["sentences"])
    assert not any(words.startswith("Metadata of the prepared") for words in found["sentences"])
