"""A tiny training that processes divide among them: what each of them runs."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.fitted import SETTINGS
from twincam.determinism import make_torch_deterministic
from twincam.models.network import Levels, Network, pool
from twincam.training import fitting
from twincam.training.data_parallel import ALONE, joined
from twincam.training.fitting import Epoch, Recipe, fit
from twincam.training.labelled import LabelledInputs
from twincam.training.params import Training

SIZE = 3

SGD = SETTINGS.model_copy(
    update={"unfreeze_from": 0, "batch_size": 4, "optimizer": "sgd", "learning_rate": 0.05}
)
"""Three processes get 2, 1 and 1 images of a batch, and of the last, which has two, 1, 1 and 0."""

ADAMW = SGD.model_copy(update={"optimizer": "adamw", "learning_rate": 1e-3})


def network() -> Network:
    """Return a network with two batch normalisations and random weights, the same at each call."""
    make_torch_deterministic(0, "test", threads=1)
    blocks = nn.Sequential(
        nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(inplace=True)),
        nn.Sequential(
            nn.Conv2d(4, 6, 3, stride=2, bias=False), nn.BatchNorm2d(6), nn.ReLU(inplace=True)
        ),
    )
    head, levels = nn.Linear(6, 2), (1,)
    module = nn.ModuleDict({"blocks": blocks, "head": head})
    mean = (0.5, 0.5, 0.5)
    infer = Levels(blocks, levels)
    return Network("tiny", ("a", "b"), mean, mean, module, blocks, head, levels, infer)


def images(count: int, first: int, broken: int | None) -> LabelledInputs:
    """Return ``count`` images whose values depend on the epoch; one may be NaN."""

    def one(epoch: int, index: int) -> np.ndarray:
        seed = (epoch, first + index)
        pixels = np.random.default_rng(seed).normal(index % 2, 1, (3, 8, 8))
        return pixels * (np.nan if index == broken else 1)

    def inputs(epoch: int, indices: np.ndarray) -> Tensor:
        pixels = np.array([one(epoch, int(index)) for index in indices]).reshape(-1, 3, 8, 8)
        return torch.tensor(pixels, dtype=torch.get_default_dtype())

    return LabelledInputs(inputs, torch.arange(count) % 2, np.ones(count))


@contextmanager
def in_double() -> Iterator[None]:
    """Compute in double precision, which `fit` otherwise reduces to single at the logits."""
    torch.set_default_dtype(torch.float64)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(fitting, "_logits", lambda tail, inputs: tail[1](pool(tail[0](inputs))))
            yield
    finally:
        torch.set_default_dtype(torch.float32)


def trained(
    rank: int, size: int, meeting: str, settings: Training, double: bool, broken: int | None
) -> tuple[list[Epoch], dict[str, np.ndarray]]:
    """Train as number ``rank`` of a group, or alone; return the history and the weights."""
    group_of = joined(rank, size, meeting, "lo") if size > 1 else nullcontext(ALONE)
    with in_double() if double else nullcontext(), group_of as group:
        made, train, val = network(), images(10, 0, broken), images(7, 10, None)
        history, _ = fit(made, train, val, Recipe(settings, 0), group=group)
        return history, {name: one.numpy() for name, one in made.module.state_dict().items()}
