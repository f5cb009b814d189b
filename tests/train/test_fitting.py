"""Fitting: what is kept, what is drawn, what an interruption costs (nothing)."""

from pathlib import Path

import numpy as np
import pytest
import torch

from stages.common import fitting
from stages.common.backbones import Network
from stages.common.fitting import (
    Epoch,
    fit,
    learning_rate,
    run_blocks,
    varied_inputs,
)
from stages.common.settings import Training
from tests.fitted import IMAGES, LABELS, SETTINGS, network

ROWS = np.arange(12)


def run(
    checkpoint: Path, settings: Training = SETTINGS, select_on_val: bool = False
) -> tuple[Network, list[Epoch], int]:
    made = network()
    with varied_inputs(made, IMAGES, ROWS, settings.unfreeze_from, settings, 0) as inputs:
        data = (inputs, LABELS)
        history, kept = fit(
            made, data, data, settings, 0, select_on_val=select_on_val, checkpoint=checkpoint
        )
    return made, history, kept


def test_kept_activations_are_those_of_the_views(tmp_path: Path) -> None:
    made = network()
    rows = np.array([4, 7, 1])
    with varied_inputs(made, IMAGES, rows, 3, SETTINGS, 0) as inputs:
        plain = run_blocks(made, IMAGES[rows], 3)
        assert torch.allclose(inputs(0, np.array([2, 0])), plain[[2, 0]], atol=1e-5)
        varied = [inputs(epoch, np.array([0, 1, 2])) for epoch in range(1, 8)]
    assert any(not torch.allclose(each, plain, atol=1e-3) for each in varied)


def test_past_the_cap_views_are_made_afresh(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object) -> None:
        raise AssertionError("activations were kept")

    monkeypatch.setattr(fitting, "_memory_map", refuse)
    small = SETTINGS.model_copy(update={"activations_max_gb": 0.0})
    made = network()
    with varied_inputs(made, IMAGES, ROWS, 3, small, 0) as inputs:
        assert torch.allclose(inputs(0, ROWS), run_blocks(made, IMAGES, 3), atol=1e-5)
    with (
        pytest.raises(AssertionError, match="kept"),
        varied_inputs(made, IMAGES, ROWS, 3, SETTINGS, 0),
    ):
        pass


def test_learns_and_leaves_frozen_blocks_alone(tmp_path: Path) -> None:
    start = network()
    made, history, kept = run(tmp_path / "c", SETTINGS.model_copy(update={"epochs": 8}))
    assert history[-1].train_loss < history[0].train_loss
    assert kept == 8
    for number, (ours, theirs) in enumerate(zip(made.blocks, start.blocks, strict=True)):
        pairs = zip(ours.state_dict().values(), theirs.state_dict().values(), strict=True)
        same = all(torch.equal(a, b) for a, b in pairs)
        assert same == (number < 3)


def test_same_seed_same_bits(tmp_path: Path) -> None:
    first, second = run(tmp_path / "a")[0], run(tmp_path / "b")[0]
    assert all(
        torch.equal(a, b)
        for a, b in zip(first.module.parameters(), second.module.parameters(), strict=True)
    )


@pytest.mark.parametrize("select_on_val", [False, True])
def test_interrupted_run_goes_on_to_the_same_bits(
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


def test_cosine_schedule_falls_from_full_to_near_zero() -> None:
    rates = [learning_rate(SETTINGS, epoch) for epoch in (1, 2, 3)]
    assert rates[0] == 1e-3
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] < 0.3e-3
    constant = SETTINGS.model_copy(update={"schedule": "constant"})
    assert learning_rate(constant, 3) == 1e-3
