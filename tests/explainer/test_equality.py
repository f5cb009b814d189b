"""`twincam explain` says of every evaluated image of a run what the run itself says."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from twincam.deliveries import WAYS
from twincam.explainer.explaining import Named, explain_each
from twincam.explainer.explanation import Explanation
from twincam.files.deliveries import read_deliveries
from twincam.files.predictions import split_names
from twincam.files.tables import read_table

CLOSE = 1e-4


class Answers:
    """What the run says of its evaluated images, and what the pack says of their files."""

    def __init__(self, run: Path) -> None:
        self.run = run
        self.predictions = read_table(run / "reports/predictions.csv")
        self.near = read_table(run / "reports/twins.csv")
        pairs = zip(self.predictions["id"], self.predictions["path"], strict=True)
        files = [Named(name, run / "data/synthetic/images" / path) for name, path in pairs]
        found = list(explain_each(files, run / "models/explainer"))
        self.explained = [one for one in found if isinstance(one, Explanation)]

        self.novelty = read_table(run / "data/novelty.csv").set_index("id")

    def of(self, kind: str, n: int) -> pd.DataFrame:
        """Return the training images of ``kind`` near the evaluated image ``n``."""
        own = self.near["id"] == self.predictions["id"][n]
        return self.near[own & (self.near["kind"] == kind)]


@pytest.fixture(scope="module")
def answers(finished: Path) -> Answers:
    return Answers(finished)


def test_every_evaluated_image_is_explained(answers: Answers) -> None:
    assert len(answers.explained) == len(answers.predictions) > 4


def test_verdict_and_confidence(answers: Answers) -> None:
    rows = answers.predictions.to_dict("records")
    for one, row in zip(answers.explained, rows, strict=True):
        verdict = one.record["verdict"]
        for name in ("predicted", "as_is", "unsure", "statement", "remark"):
            assert verdict[name] == row[name]
        assert (verdict["set"] or []) == split_names(row["set"])
        assert verdict["flips"] == split_names(row["flips"])
        calibrated = np.nan if verdict["confidence"] is None else verdict["confidence"]
        expected = np.nan if row["calibrated"] == "" else float(row["calibrated"])
        np.testing.assert_allclose(calibrated, expected, atol=CLOSE)
        for label, p in verdict["probabilities"].items():
            np.testing.assert_allclose(p, row[f"p_{label}"], atol=CLOSE)


def test_novelty(answers: Answers) -> None:
    known = answers.novelty.loc[answers.novelty["split"] == "train", "distance"].to_numpy()
    for one, name in zip(answers.explained, answers.predictions["id"], strict=True):
        found, expected = one.record["verdict"]["novelty"], answers.novelty.loc[name]
        assert found is not None
        np.testing.assert_allclose(found["distance"], expected["distance"], atol=CLOSE)
        assert expected["quantile"] == pytest.approx((known < expected["distance"]).mean())
        if np.abs(known - expected["distance"]).min() > 1e-6:
            np.testing.assert_allclose(found["quantile"], expected["quantile"], atol=CLOSE)


def test_deliveries(answers: Answers) -> None:
    sent = read_deliveries(answers.run / "data/deliveries.csv").set_index(["id", "delivery"])
    for one, name in zip(answers.explained, answers.predictions["id"], strict=True):
        found, as_is = one.record["deliveries"], one.record["verdict"]["as_is"]
        assert [delivery["name"] for delivery in found] == list(WAYS)
        for delivery in found:
            logits = sent.loc[(name, delivery["name"]), ["logit_fake", "logit_real"]]
            margin = (logits["logit_fake"] - logits["logit_real"]) * (1, -1)[as_is == "real"]
            np.testing.assert_allclose(delivery["margin"], margin, atol=CLOSE)
            assert (delivery["predicted"] == as_is) == (margin > 0)


def test_heat_map(answers: Answers) -> None:
    cams = np.load(answers.run / "data/embeddings/cams.npy")
    for one, cam in zip(answers.explained, cams, strict=True):
        (heat,) = one.record["heat"]
        np.testing.assert_allclose(heat["map"], cam, atol=CLOSE)


@pytest.mark.parametrize(
    ("kind", "name"),
    [("twins", "twins"), ("neighbourhood", "neighbours"), ("influential", "influence")],
)
def test_training_images(answers: Answers, kind: str, name: str) -> None:
    value = "influence" if name == "influence" else "similarity"
    for n, one in enumerate(answers.explained):
        found, expected = one.record[name], answers.of(kind, n)  # type: ignore[literal-required]
        similar = expected["similarity"].to_numpy(float)
        np.testing.assert_allclose([row[value] for row in found], similar, rtol=1e-3, atol=CLOSE)
        if np.diff(np.sort(similar)).min(initial=1) > CLOSE:
            assert [row["image"] for row in found] == expected["neighbour"].tolist()
            assert [row["path"] for row in found] == expected["path"].tolist()
        assert [row["label"] for row in found] == expected["label"].tolist()


def test_the_heat_twins_share_is_the_runs_and_adds_up_to_their_similarity(answers: Answers) -> None:
    shared = np.load(answers.run / "data/shared.npy")
    for one, maps in zip(answers.explained, shared, strict=True):
        for twin, expected in zip(one.record["twins"], maps, strict=False):
            if twin["map"] is not None:
                np.testing.assert_allclose(twin["map"], expected, atol=CLOSE)
                total = sum(sum(row) for row in twin["map"])
                np.testing.assert_allclose(total, twin["similarity"], atol=1e-2)
    assert any(twin["map"] for one in answers.explained for twin in one.record["twins"])


def test_counterfactual(answers: Answers) -> None:
    swapped = np.load(answers.run / "data/swapped.npy")
    for n, one in enumerate(answers.explained):
        found, expected = one.record["counterfactual"], answers.of("counterfactual", n)
        if expected.empty:
            assert found is None
            continue
        assert found is not None
        assert found["image"] == expected["neighbour"].item()
        assert found["cells"] == np.argwhere(swapped[n]).tolist()


def test_prototypes(answers: Answers) -> None:
    rows = read_table(answers.run / "reports/protopnet_predictions.csv").to_dict("records")
    for one, row in zip(answers.explained, rows, strict=True):
        found = one.record["prototypes"]
        assert found is not None
        logits = np.array(list(found["logits"].values()))
        p = np.exp(logits - logits.max())
        expected = [row[f"p_{label}"] for label in found["logits"]]
        np.testing.assert_allclose(p / p.sum(), expected, atol=CLOSE)
        for label, logit in found["logits"].items():
            points = [row["points"] for row in found["rows"] if row["class"] == label]
            np.testing.assert_allclose(sum(points) + found["biases"][label], logit, atol=1e-3)
