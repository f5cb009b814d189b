"""A training divided among processes takes the steps of one process alone."""

import multiprocessing
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tests.training.divided import ADAMW, SGD, SIZE, trained
from twincam.files.errors import UserError
from twincam.models.architectures import ARCHITECTURES, HALF
from twincam.models.network import create
from twincam.training import data_parallel
from twincam.training.data_parallel import Group, whole_batch_statistics
from twincam.training.fitting import Epoch
from twincam.training.params import Training

Trained = tuple[list[Epoch], dict[str, np.ndarray]]


@pytest.fixture(scope="module")
def pool() -> Iterator[ProcessPoolExecutor]:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.training.divided"])
    with ProcessPoolExecutor(SIZE, context) as made:
        yield made


@pytest.fixture
def by(pool: ProcessPoolExecutor) -> Callable[..., list[Future[Trained]]]:
    """Return the function that trains by so many processes."""

    def start(
        size: int, settings: Training, double: bool = False, broken: int | None = None
    ) -> list[Future[Trained]]:
        with socket.create_server(("127.0.0.1", 0)) as server:
            meeting = f"127.0.0.1:{server.getsockname()[1]}"
        common = (size, meeting, settings, double, broken)
        return [pool.submit(trained, rank, *common) for rank in range(size)]

    return start


def losses(history: list[Epoch]) -> np.ndarray:
    return np.array([list(vars(row).values()) for row in history])


def test_in_double_precision_history_and_weights_are_those_of_one_process(by: Any) -> None:
    ((history, weights),) = (one.result() for one in by(1, SGD, double=True))
    for divided, parts in [one.result() for one in by(SIZE, SGD, double=True)]:
        assert np.allclose(losses(divided), losses(history), rtol=0, atol=1e-10)
        for name, tensor in weights.items():
            assert np.allclose(parts[name], tensor, rtol=0, atol=1e-10), name


def test_in_single_precision_they_differ_by_rounding(by: Any) -> None:
    ((history, _),) = (one.result() for one in by(1, ADAMW))
    first, *others = (one.result() for one in by(SIZE, ADAMW))
    assert np.allclose(losses(first[0]), losses(history), rtol=0, atol=1e-4)
    for divided, weights in others:
        assert divided == first[0]
        assert all(np.array_equal(weights[name], first[1][name]) for name in weights)


def test_the_same_number_of_processes_gives_the_same_bits(by: Any) -> None:
    (once, *_), (again, *_) = ([one.result() for one in by(SIZE, ADAMW)] for _ in range(2))
    assert once[0] == again[0]
    assert all(np.array_equal(once[1][name], again[1][name]) for name in once[1])


def test_a_part_that_diverges_ends_all_with_one_line(by: Any) -> None:
    errors = [one.exception() for one in by(SIZE, SGD, broken=3)]
    assert all(isinstance(error, UserError) for error in errors)
    (message,) = {str(error) for error in errors}
    assert "the training loss is nan" in message


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_every_batch_normalisation_is_that_of_the_whole_batch(
    arch: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = create(arch, ("a", "b"), HALF)
    normalised: list[torch.Tensor] = []

    def counted(_group: Group, x: torch.Tensor, *_args: object, **_names: object) -> torch.Tensor:
        normalised.append(x)
        return x

    monkeypatch.setattr(data_parallel, "_batch_norm", counted)
    with whole_batch_statistics(Group(0, 2)):
        made.infer.train()(torch.zeros(2, 3, 32, 32))  # type: ignore[attr-defined]
    layers = [one for one in made.module.modules() if isinstance(one, nn.BatchNorm2d)]
    assert len(normalised) == len(layers) > 0
