"""The decision is put where out-of-fold scores say it belongs, without an image's own label."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from stages.train.__main__ import main as train
from stages.train.methods import add_offsets
from twincam.confidence.offsets import fit_offsets, with_offsets
from twincam.files.deliveries import AS_IS
from twincam.files.metrics import read_metrics
from twincam.files.tables import write_table
from twincam.models.architectures import HALF
from twincam.models.classifier import read_classifier
from twincam.models.network import create

CLASSES = ["fake", "real"]
LOGITS = ["logit_fake", "logit_real"]


def scored(
    n: int, apart: float, shift: float, repeats: int = 1, fakes: float = 0.5
) -> pd.DataFrame:
    """Return n images with normal margins ``apart`` and ``shift`` towards real, in 5 folds."""
    rng = np.random.default_rng(0)
    label = np.where(np.arange(n) < fakes * n, "fake", "real")
    margin = np.where(label == "real", apart, -apart) + rng.normal(size=n)
    table = pd.DataFrame({"id": np.arange(n).astype(str), "label": label})
    table[LOGITS] = np.stack([-margin - shift, margin + shift], axis=1) / 2
    parts = [
        table.assign(repeat=one, fold=1 + (np.arange(n) + one) % 5) for one in range(1, repeats + 1)
    ]
    return pd.concat(parts, ignore_index=True)


def recalls(table: pd.DataFrame) -> dict[str, float]:
    right = table[LOGITS].to_numpy().argmax(axis=1) == (table["label"] == "real")
    return right.groupby(table["label"]).mean().to_dict()


@pytest.mark.parametrize("fakes", [0.5, 0.2])
def test_a_shift_towards_one_class_is_undone_whatever_the_classes_sizes(fakes: float) -> None:
    offsets = fit_offsets(scored(4000, 1, 1.5, fakes=fakes), CLASSES)
    assert offsets == pytest.approx([0.75, -0.75], abs=0.1)
    assert offsets.sum() == pytest.approx(0)


def test_classes_that_nothing_confuses_keep_the_decision_between_them() -> None:
    assert fit_offsets(scored(40, 8, 0), CLASSES) == pytest.approx([0, 0], abs=1)


def test_without_scores_of_each_class_nothing_moves() -> None:
    table = scored(20, 1, 1)
    for rows in (table.head(0), table[table["label"] == "fake"]):
        assert fit_offsets(rows, CLASSES).tolist() == [0, 0]


def test_scores_that_say_nothing_move_nothing() -> None:
    assert fit_offsets(scored(2000, -1, 0.5), CLASSES).tolist() == [0, 0]


def test_offsets_balance_the_recalls() -> None:
    table = scored(600, 1, 1.5, repeats=2)
    before, after = recalls(table), recalls(with_offsets(table, CLASSES))
    assert before["real"] - before["fake"] > 0.3
    assert abs(after["real"] - after["fake"]) < 0.05


def test_an_images_own_label_moves_none_of_its_scores() -> None:
    table = scored(100, 1, 1, repeats=2)
    held_out = table["id"].isin(table.loc[(table["repeat"] == 1) & (table["fold"] == 1), "id"])
    turned = table.assign(
        label=table["label"].where(~held_out, table["label"].map({"fake": "real", "real": "fake"}))
    )
    one, other = (with_offsets(each, CLASSES) for each in (table, turned))
    own = (table["repeat"] == 1) & (table["fold"] == 1)
    pd.testing.assert_frame_equal(one.loc[own, LOGITS], other.loc[own, LOGITS])
    elsewhere = (table["repeat"] == 1) & (table["fold"] == 2)
    assert (one.loc[elsewhere, LOGITS] != other.loc[elsewhere, LOGITS]).all(axis=None)


def test_they_are_added_to_every_logit() -> None:
    network = create("efficientnet_lite0", CLASSES, HALF)
    features = torch.rand(3, network.head.in_features)
    before = network.head(features)
    add_offsets(network, np.array([0.5, -0.5]))
    torch.testing.assert_close(network.head(features) - before, torch.tensor([[0.5, -0.5]] * 3))


def test_the_classifier_decides_with_those_of_its_cross_validation(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(finished)
    table = scored(200, 1, 1.5).assign(delivery=AS_IS)
    write_table(tmp_path / "scored.csv", table)
    known = {"params": "params.yaml", "images": "data/prepared/images", "split": "data/split.csv"}
    known |= {"preprocessing": "data/preprocessing.json", "weights-file": "data/none"}
    made = {"out-of-fold": "scored.csv", "checkpoints": "kept", "model": "classifier.safetensors"}
    made |= {"history": "history.csv", "details": "train.json"}
    flags = known | {name: str(tmp_path / file) for name, file in made.items()}
    train([part for name, value in flags.items() for part in (f"--{name}", value)])
    biases = [
        read_classifier(path).head.bias.detach().numpy()
        for path in (tmp_path / "classifier.safetensors", Path("models/classifier.safetensors"))
    ]
    known_offsets = read_metrics(Path("reports/details/train.json"))["offsets"]
    moved = biases[0] - (biases[1] - np.array(list(known_offsets.values())))
    assert moved == pytest.approx(fit_offsets(table, CLASSES), abs=1e-4)
    assert abs(moved[0]) > 0.5
