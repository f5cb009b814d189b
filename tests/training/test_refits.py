"""Refits are independent of each other, and a finished one is not repeated."""

import weakref
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.conftest import user_error
from tests.fitted import IMAGES, LABELS, MODEL, SETTINGS, SPLIT, network
from twincam.determinism import Run
from twincam.files.arrays import write_array
from twincam.training import activations
from twincam.training.fitting import Recipe
from twincam.training.labelled import LabelledImages
from twincam.training.params import ClassifierParams, Training
from twincam.training.refits import (
    Refit,
    Results,
    RunFiles,
    held_out_logits,
    refit_function,
    refitted,
)

FIRST, SECOND = Refit(np.arange(8), np.arange(8, 12)), Refit(np.arange(4, 12), np.arange(4))
QUICK = SETTINGS.model_copy(
    update={
        "views": 2,
        "augmentations": ["flip"],
        "epochs": 1,
        "batch_size": 4,
        "label_smoothing": 0.0,
    }
)


LOGITS = held_out_logits(IMAGES)


def results(
    plan: list[Refit], folder: Path, labels: torch.Tensor = LABELS, training: Training = QUICK
) -> list[Results]:
    data = LabelledImages(IMAGES, labels, np.arange(len(IMAGES)), np.full(len(IMAGES), ""))
    results_of = refit_function(network(), data, plan, LOGITS, Recipe(training, 0), folder)
    return [results_of(number) for number in range(len(plan))]


def scores(plan: list[Refit], folder: Path) -> list[np.ndarray]:
    return [one["logits"] for one in results(plan, folder)]


def test_each_refit_starts_from_the_same_weights(tmp_path: Path) -> None:
    first, second = scores([FIRST, SECOND], tmp_path / "a")
    assert first.shape == second.shape == (4, 2)
    other = FIRST._replace(train=np.array([0, 1, 2, 3, 7]))
    _, again = scores([other, SECOND], tmp_path / "b")
    assert np.array_equal(second, again)
    assert not np.array_equal(first, scores([other, SECOND], tmp_path / "c")[0])


def test_a_finished_refit_is_not_repeated(tmp_path: Path) -> None:
    uninterrupted = scores([FIRST, SECOND], tmp_path / "a")
    (tmp_path / "b").mkdir()
    np.savez(tmp_path / "b" / "0.npz", logits=np.full((4, 2), 7, np.float32))
    resumed = scores([FIRST, SECOND], tmp_path / "b")
    assert (resumed[0] == 7).all()
    assert np.array_equal(resumed[1], uninterrupted[1])


def test_labels_of_the_held_out_images_do_not_matter(tmp_path: Path) -> None:
    (plain,) = scores([FIRST], tmp_path / "a")
    swapped = LABELS.clone()
    swapped[8:] = 1 - swapped[8:]
    (found,) = results([FIRST], tmp_path / "b", swapped)
    assert np.array_equal(plain, found["logits"])


def test_a_damaged_refit_is_named(tmp_path: Path) -> None:
    scores([FIRST], tmp_path)
    kept = tmp_path / "0.npz"
    kept.write_bytes(kept.read_bytes()[:-100])
    assert str(kept) in user_error(scores, plan=[FIRST], folder=tmp_path)


@pytest.mark.parametrize(("rate", "said"), [(10.0, "diverged"), (1e-3, "")])
def test_refits_that_diverge_end_or_are_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], rate: float, said: str
) -> None:
    wild = QUICK.model_copy(update={"learning_rate": rate})
    (found,) = results([FIRST], tmp_path, training=wild)
    assert np.isfinite(found["logits"]).all()
    warned = [line for line in capsys.readouterr().err.splitlines() if line.startswith("refit 1:")]
    assert len(warned) == bool(said)
    assert all(said in line and "train.learning_rate" in line for line in warned)
    worst = {"learning_rate": 10.0, "weight_decay": 10.0, "schedule": "constant"}
    worse = SETTINGS.model_copy(update=worst)
    message = user_error(results, plan=[FIRST], folder=tmp_path / "worse", training=worse)
    assert "train.weight_decay (10)" in message
    assert not list((tmp_path / "worse").glob("*.npz"))


def test_activations_are_gone_once_the_refits_are_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[weakref.ref[np.ndarray]] = []
    real = activations.temporary_array

    def remembered(shape: tuple[int, ...], dtype: type) -> np.ndarray:
        made = real(shape, dtype)
        kept.append(weakref.ref(made))
        return made

    monkeypatch.setattr(activations, "temporary_array", remembered)
    write_array(tmp_path / "images" / "0.npy", IMAGES)
    nowhere = tmp_path / "none"
    files = RunFiles(tmp_path / "images", nowhere, nowhere, tmp_path / "checkpoints")
    run = Run(engine="local", threads=1, runtime="torch")
    params = ClassifierParams(seed=0, run=run, model=MODEL, train=QUICK)
    with refitted("test", params, SPLIT, [FIRST], held_out_logits, files) as found:
        assert len(found) == 1
        assert kept
        assert all(one() is None for one in kept)
