"""Mixed precision is for GPUs alone, and leaves losses and weights in single precision."""

from contextlib import nullcontext

import numpy as np
import pytest
import torch

from tests.fitted import IMAGES, LABELS, SETTINGS, network
from twincam.models.network import Network
from twincam.training.activations import augmented_inputs
from twincam.training.fitting import Epoch, Recipe, fit, mixed_precision
from twincam.training.labelled import LabelledInputs

GENTLE = SETTINGS.model_copy(update={"learning_rate": 1e-4})


def trained(net: Network) -> list[Epoch]:
    inputs = augmented_inputs(net, IMAGES, np.arange(len(IMAGES)), 3, GENTLE, 0)
    data = LabelledInputs(inputs, LABELS, np.ones(len(LABELS)))
    return fit(net, data, data, Recipe(GENTLE, 0))[0]


@pytest.mark.filterwarnings("ignore:CUDA is not available")
def test_only_a_gpu_computes_in_it() -> None:
    assert isinstance(mixed_precision(torch.device("cpu")), nullcontext)
    assert isinstance(mixed_precision(torch.device("cuda")), torch.autocast)


def test_losses_and_weights_stay_in_single_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    single = trained(network())
    monkeypatch.setattr(
        "twincam.training.fitting.mixed_precision",
        lambda _device: torch.autocast("cpu", torch.bfloat16),
    )
    net = network()
    mixed = trained(net)
    assert mixed != single
    for one, other in zip(mixed, single, strict=True):
        assert one.train_loss == pytest.approx(other.train_loss, rel=0.1)
    assert all(weight.dtype == torch.float32 for weight in net.module.parameters())
