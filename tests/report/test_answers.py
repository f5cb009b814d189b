"""The page's answers say what was measured, and that it was not where it was not."""

import pandas as pd

from stages.report.answers import (
    accuracy,
    certainty,
    counterfactuals,
    data,
    deliveries,
    heat,
    shortcuts,
    weakest_source,
)


def with_interval(name: str, value: float, low: float, high: float) -> dict[str, float]:
    return {name: value, f"{name}_low": low, f"{name}_high": high}


def test_how_often_it_is_right() -> None:
    found = {**with_interval("accuracy", 0.95, 0.89, 0.98), "n": 20, "majority_share": 0.5}
    said = accuracy(found)
    assert said.startswith("On 19 of 20 images")
    assert "95.0 % (89.0 to 98.0)" in said
    assert said.endswith("right on 50.0 %.")


def test_how_sure_it_is() -> None:
    unsure = {**with_interval("accuracy_when_sure", 0.9, 0.6, 1.0), "n": 12, "n_sure": 10}
    assert "“unsure” for 2 of 12" in certainty({"unsure": unsure})
    assert "right on 9 of 10" in certainty({"unsure": unsure})
    never = {"n": 12, "n_sure": 0, "accuracy_when_sure": None}
    assert certainty({"unsure": never}) == "It says “unsure” for 12 of 12 images."


def test_what_was_not_measured() -> None:
    assert shortcuts({"skipped": "one image"}) == "Not measured: one image."
    assert deliveries({"deliveries": {}}) == "Not measured."
    assert "no ground truth" in heat({"method": "m", "heatmaps": {"m": {}}})
    assert counterfactuals({"n": 0}).startswith("No training image")


def test_the_worst_source_is_named() -> None:
    table = pd.DataFrame(
        {"source": ["x", "x", "y", "y", ""], "label": list("aaaab"), "predicted": list("aabaa")}
    )
    assert weakest_source(table).endswith("y has the lowest accuracy: 1 of 2 evaluated images.")
    right = table.assign(predicted=table["label"])
    assert weakest_source(right).startswith("Every evaluated image of all 2 sources")
    assert weakest_source(table.assign(source="")) == ""


def test_the_worst_delivery_is_named() -> None:
    found = with_interval("flip_rate", 0.2, 0.1, 0.3)
    each = {"as is": {"accuracy": 1.0}, "JPEG 40": {"flip_rate": 0.1}, "crop": {"flip_rate": 0.15}}
    assert "most often “crop”: 15.0 %" in deliveries({**found, "deliveries": each})


def test_what_people_marked() -> None:
    split = {"classes": {"a": {"train": 3}}, "images": {"bad": 0, "dropped": 0}}
    assert data(split) == (
        "Training images: 3 a. Every file could be used; none is a copy of an image in an earlier "
        "split."
    )
    reviews = [{"label": "a"}, {"label": ""}, {"label": ""}]
    said = "People marked 3 images; of these, 1 got another label and the others (2) are left out."
    assert data({**split, "reviewed": reviews}).endswith(said)
