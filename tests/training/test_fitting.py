"""Fitting: activations that are kept, views that are sampled, a run that is interrupted."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tests.conftest import user_error
from tests.fitted import IMAGES, LABELS, SETTINGS, network
from twincam.determinism import make_torch_deterministic
from twincam.models.architectures import HALF
from twincam.models.forward import embed_batch, run_blocks
from twincam.models.network import Network, create, with_head
from twincam.training import activations, fitting
from twincam.training.activations import augmented_inputs
from twincam.training.fitting import (
    Epoch,
    Recipe,
    cross_entropy_and_accuracy,
    divergence_warning,
    fit,
    learning_rate,
)
from twincam.training.labelled import LabelledInputs
from twincam.training.params import Training

ROWS = np.arange(12)


def run(
    checkpoint: Path, settings: Training = SETTINGS, select_on_val: bool = False
) -> tuple[Network, list[Epoch], int]:
    made = network()
    inputs = augmented_inputs(made, IMAGES, ROWS, settings.unfreeze_from, settings, 0)
    data = LabelledInputs(inputs, LABELS, np.ones(len(LABELS)))
    recipe = Recipe(settings, 0)
    history, kept = fit(
        made, data, data, recipe, select_on_val=select_on_val, checkpoint=checkpoint
    )
    return made, history, kept


def test_kept_activations_are_those_of_the_views(tmp_path: Path) -> None:
    made = network()
    rows = np.array([4, 7, 1])
    inputs = augmented_inputs(made, IMAGES, rows, 3, SETTINGS, 0)
    plain = run_blocks(made, IMAGES[rows], 3)
    assert torch.allclose(inputs(0, np.array([2, 0])), plain[[2, 0]], atol=1e-5)
    varied = [inputs(epoch, np.array([0, 1, 2])) for epoch in range(1, 8)]
    assert any(not torch.allclose(each, plain, atol=1e-3) for each in varied)


def test_above_the_cap_views_are_computed_in_every_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object) -> None:
        raise AssertionError("activations were kept")

    monkeypatch.setattr(activations, "temporary_array", refuse)
    small = SETTINGS.model_copy(update={"activation_cache_gb": 0.0})
    made = network()
    inputs = augmented_inputs(made, IMAGES, ROWS, 3, small, 0)
    assert torch.allclose(inputs(0, ROWS), run_blocks(made, IMAGES, 3), atol=1e-5)
    with pytest.raises(AssertionError, match="kept"):
        augmented_inputs(made, IMAGES, ROWS, 3, SETTINGS, 0)


@pytest.mark.parametrize("gigabytes", [0.0, 1.0])
def test_no_images_have_no_activations(gigabytes: float) -> None:
    settings = SETTINGS.model_copy(update={"activation_cache_gb": gigabytes})
    inputs = augmented_inputs(network(), IMAGES, ROWS, 3, settings, 0)
    assert inputs(1, ROWS[:0]).shape == (0, *inputs(1, ROWS[:2]).shape[1:])


def test_learns_and_leaves_frozen_blocks_alone(tmp_path: Path) -> None:
    start = network()
    made, history, kept = run(tmp_path / "c", SETTINGS.model_copy(update={"epochs": 8}))
    assert history[-1].train_loss < history[0].train_loss
    assert kept == 8
    for number, (ours, theirs) in enumerate(zip(made.blocks, start.blocks, strict=True)):
        pairs = zip(ours.state_dict().values(), theirs.state_dict().values(), strict=True)
        same = all(torch.equal(a, b) for a, b in pairs)
        assert same == (number < 3)


@pytest.mark.parametrize("cut", [0, 3])
def test_a_head_over_several_levels_learns_what_is_then_inferred(cut: int) -> None:
    settings = SETTINGS.model_copy(update={"unfreeze_from": cut, "epochs": 12})
    made = with_head(network(), None, 3)
    assert made.levels == (2, 3, 4)
    inputs = augmented_inputs(made, IMAGES, ROWS, cut, settings, 0)
    data = LabelledInputs(inputs, LABELS, np.ones(len(LABELS)))
    history, _ = fit(made, data, data, Recipe(settings, 0))
    assert history[-1].train_loss < history[0].train_loss
    made.module.eval()
    loss, accuracy = cross_entropy_and_accuracy(
        torch.from_numpy(embed_batch(made, IMAGES).logits), LABELS
    )
    assert history[-1].val_loss == pytest.approx(loss, rel=1e-4)
    assert history[-1].val_accuracy == accuracy


def test_same_seed_same_bits(tmp_path: Path) -> None:
    first, second = run(tmp_path / "a")[0], run(tmp_path / "b")[0]
    assert all(
        torch.equal(a, b)
        for a, b in zip(first.module.parameters(), second.module.parameters(), strict=True)
    )


@pytest.mark.parametrize("select_on_val", [False, True])
def test_an_interrupted_run_resumes_to_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, select_on_val: bool
) -> None:
    whole, history, kept = run(tmp_path / "whole", select_on_val=select_on_val)
    trained: list[int] = []
    real = fitting._train_epoch

    def interrupted(*args: object) -> tuple[float, float]:
        if len(trained) == 2:
            raise KeyboardInterrupt
        trained.append(1)
        return real(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(fitting, "_train_epoch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", select_on_val=select_on_val)
    monkeypatch.setattr(fitting, "_train_epoch", real)
    resumed, again, kept_again = run(tmp_path / "cut", select_on_val=select_on_val)
    assert (again, kept_again) == (history, kept)
    for name, tensor in whole.module.state_dict().items():
        assert torch.equal(tensor, resumed.module.state_dict()[name]), name


def test_the_epoch_of_least_validation_loss_is_kept_only_on_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = iter([0.5, 0.2, 0.9] * 2)
    monkeypatch.setattr(fitting, "_evaluate", lambda *_args: (next(losses), 0.5))
    _, _, last = run(tmp_path / "a")
    _, _, best = run(tmp_path / "b", select_on_val=True)
    assert (last, best) == (3, 2)


def test_after_a_warm_up_the_cosine_falls_from_full_to_near_zero() -> None:
    settings = SETTINGS.model_copy(update={"epochs": 5})
    first, *rates = [learning_rate(settings, epoch) for epoch in range(1, 6)]
    assert first == pytest.approx(0.2e-3)
    assert rates[0] == 1e-3
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] < 0.3e-3
    alone = SETTINGS.model_copy(update={"epochs": 1})
    assert learning_rate(alone, 1) == 1e-3
    constant = SETTINGS.model_copy(update={"schedule": "constant"})
    assert [learning_rate(constant, epoch) for epoch in (1, 3)] == [1e-3, 1e-3]


@pytest.mark.parametrize("start", [0, 3])
def test_depthwise_kernels_are_trained_only_with_all_blocks(start: int) -> None:
    settings = SETTINGS.model_copy(update={"unfreeze_from": start, "views": 1, "epochs": 1})
    make_torch_deterministic(0, "test", threads=1)
    made = create("efficientnet_lite0", ("a", "b"), HALF)
    before = {name: weight.clone() for name, weight in made.blocks.named_parameters()}
    inputs = augmented_inputs(made, IMAGES, ROWS, start, settings, 0)
    fit(made, LabelledInputs(inputs, LABELS, np.ones(12)), None, Recipe(settings, 0))
    moved = {
        name for name, now in made.blocks.named_parameters() if not torch.equal(now, before[name])
    }
    kernels = {name for name in before if name.endswith("conv_dw.weight")}
    trained = {name for name in before if int(name.split(".")[0]) >= start}
    assert kernels & trained
    assert moved == (trained - kernels if start else trained)


DIVERGES = {"learning_rate": 10.0, "weight_decay": 10.0, "schedule": "constant"}
WILD = SETTINGS.model_copy(update={"views": 1, "epochs": 2, **DIVERGES})


@pytest.mark.parametrize("select_on_val", [False, True])
def test_training_that_diverges_ends_with_epoch_and_what_to_lower(
    tmp_path: Path, select_on_val: bool
) -> None:
    message = user_error(run, checkpoint=tmp_path / "c", settings=WILD, select_on_val=select_on_val)
    assert "diverged in epoch 1" in message
    assert "train.learning_rate (10)" in message
    assert not (tmp_path / "c").exists(), "the checkpoint of a diverged epoch was kept"


def test_without_validation_the_weights_themselves_are_checked() -> None:
    made = network()
    inputs = augmented_inputs(made, IMAGES, ROWS, 3, WILD, 0)
    train = LabelledInputs(inputs, LABELS, np.ones(len(LABELS)))
    message = user_error(fit, network=made, train=train, val=None, recipe=Recipe(WILD, 0))
    assert "diverged in epoch" in message


def test_the_first_batch_without_a_loss_ends_it() -> None:
    batches: list[int] = []

    def inputs(epoch: int, indices: np.ndarray) -> torch.Tensor:
        batches.append(len(indices))
        return torch.full((len(indices), 128, 8, 8), torch.nan)

    train = LabelledInputs(inputs, LABELS, np.ones(len(LABELS)))
    message = user_error(fit, network=network(), train=train, val=None, recipe=Recipe(SETTINGS, 0))
    assert "the training loss is nan" in message
    assert len(batches) == 1


@pytest.mark.parametrize(
    ("losses", "exploded"),
    [
        ([0.6, 0.3, 0.1], False),
        ([0.6, 0.9], False),
        ([0.05, 0.3], False),
        ([0.1, 0.6], True),
        ([0.6, 171.0], True),
        ([48000.0, 171.0], True),
        ([1.1, 0.7], False),
    ],
)
def test_a_loss_that_explodes_and_stays_finite_is_reported(
    losses: list[float], exploded: bool
) -> None:
    history = [Epoch(n + 1, 1e-3, loss, 0.5, loss, 0.5) for n, loss in enumerate(losses)]
    message = divergence_warning(history, len(losses), 2, SETTINGS)
    assert bool(message) == exploded
    assert ("train.learning_rate (0.001)" in message) == exploded


def test_the_loss_of_the_epoch_kept_counts() -> None:
    history = [Epoch(n + 1, 1e-3, loss, 0.5, loss, 0.5) for n, loss in enumerate([0.5, 90.0])]
    assert not divergence_warning(history, 1, 2, SETTINGS)


def test_checkpoints_that_cannot_be_resumed_are_named(
    tmp_path: Path,
) -> None:
    path = tmp_path / "c"
    run(path, SETTINGS.model_copy(update={"epochs": 1}))
    saved = torch.load(path, weights_only=True)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert f"{path}: expected the checkpoint" in user_error(run, checkpoint=path)
    saved["tail"]["1.bias"][0] = torch.nan
    torch.save(saved, path)
    message = user_error(run, checkpoint=path)
    assert "(1.bias) are of a diverged training" in message


def test_a_checkpoint_that_does_not_fit_on_the_disk_leaves_nothing(small_disk: Path) -> None:
    with pytest.raises(OSError, match="No space left"):
        run(small_disk / "c")
    assert not list(small_disk.iterdir())


def test_activations_that_overflow_are_refused_wherever_images_are_run() -> None:
    made = network()
    for layer in made.blocks[1].modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.weight.data.fill_(1e38)
    assert "not finite" in user_error(run_blocks, network=made, images=IMAGES, until=2)
    fine = network()
    fine.head.weight.data[:] = 1e38
    fine.module.eval()
    assert "logits that are not finite" in user_error(embed_batch, network=fine, images=IMAGES)
