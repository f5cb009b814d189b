"""Folding batch norm into convolutions changes no output, and unfolding gives the usual weights."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tests.fitted import IMAGES, LABELS, SETTINGS, network
from twincam.determinism import make_torch_deterministic
from twincam.models.architectures import ARCHITECTURES, HALF
from twincam.models.classifier import read_classifier, save_classifier
from twincam.models.forward import logits_of
from twincam.models.network import Network, create
from twincam.training.activations import augmented_inputs
from twincam.training.fitting import LabelledInputs, Recipe, fit
from twincam.training.folding import folded

FROZEN = SETTINGS.model_copy(update={"batch_norm": "frozen", "epochs": 1})


def norms(made: Network) -> list[nn.BatchNorm2d]:
    return [layer for layer in made.module.modules() if isinstance(layer, nn.BatchNorm2d)]


def with_statistics(arch: str) -> Network:
    """Return a network whose norms have random weights and statistics."""
    make_torch_deterministic(0, "test", threads=1)
    made = create(arch, ("a", "b"), HALF)
    for norm in norms(made):
        for tensor in (norm.weight, norm.get_buffer("running_var")):
            nn.init.uniform_(tensor, 0.5, 1.5)
        for tensor in (norm.bias, norm.get_buffer("running_mean")):
            nn.init.normal_(tensor, std=0.2)
    made.module.eval()
    return made


def train(made: Network, checkpoint: Path | None = None) -> None:
    rows = np.arange(len(IMAGES))
    inputs = augmented_inputs(made, IMAGES, rows, FROZEN.unfreeze_from, FROZEN, 0)
    fit(made, LabelledInputs(inputs, LABELS), None, Recipe(FROZEN, 0), checkpoint=checkpoint)
    made.module.eval()


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_outputs_are_the_same_folded_and_unfolded(arch: str) -> None:
    made = with_statistics(arch)
    expected, state = logits_of(made, IMAGES), made.module.state_dict()
    shapes = {name: tensor.shape for name, tensor in state.items()}
    with folded(made.blocks, torch.zeros(1, 3, 64, 64)):
        assert not any(isinstance(layer, nn.BatchNorm2d) for layer in made.blocks.modules())
        inside = logits_of(made, IMAGES)
    found = made.module.state_dict()
    assert {name: tensor.shape for name, tensor in found.items()} == shapes
    scale = np.abs(expected).max()
    np.testing.assert_allclose(inside, expected, atol=1e-4 * scale)
    np.testing.assert_allclose(logits_of(made, IMAGES), expected, atol=1e-4 * scale)


@pytest.mark.parametrize("arch", ["efficientnet_lite0", "resnet18"])
def test_a_network_trained_folded_is_saved_and_read(tmp_path: Path, arch: str) -> None:
    made = with_statistics(arch)
    before = logits_of(made, IMAGES)
    train(made)
    after = logits_of(made, IMAGES)
    assert not np.allclose(before, after, atol=1e-2)
    save_classifier(tmp_path / "model", made, {})
    found = logits_of(read_classifier(tmp_path / "model"), IMAGES)
    np.testing.assert_allclose(found, after, atol=1e-5 * np.abs(after).max())


def test_a_checkpoint_holds_the_folded_weights(tmp_path: Path) -> None:
    made, resumed = with_statistics("resnet18"), with_statistics("resnet18")
    train(made, tmp_path / "c")
    train(resumed, tmp_path / "c")
    found, expected = resumed.module.state_dict(), made.module.state_dict()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_blocks_before_the_cut_stay_as_they_are() -> None:
    made, start = with_statistics("resnet18"), with_statistics("resnet18")
    train(made)
    cut = FROZEN.unfreeze_from
    found, before = made.blocks[:cut].state_dict(), start.blocks[:cut].state_dict()
    assert all(torch.equal(found[name], before[name]) for name in before)


@pytest.mark.parametrize("pretrained", [True, False])
def test_only_statistics_of_pretrained_weights_are_frozen(pretrained: bool) -> None:
    made = with_statistics("resnet18") if pretrained else network()
    train(made)
    batches = [int(norm.get_buffer("num_batches_tracked")) for norm in norms(made)]
    assert any(batches) != pretrained
