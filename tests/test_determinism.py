"""A stage computes with as many threads as its parameters say, and waiting ones sleep."""

import sys
from collections.abc import Iterator

import numpy  # noqa: F401  (loads BLAS)
import pytest
import torch
from threadpoolctl import threadpool_info

from tests.conftest import ROOT, run_in
from twincam.determinism import make_torch_deterministic


@pytest.fixture
def restored() -> Iterator[None]:
    yield
    make_torch_deterministic(0, "test", threads=1)


@pytest.mark.parametrize("threads", [1, 2])
def test_torch_and_the_libraries_below_numpy_use_as_many_threads(
    restored: None, threads: int
) -> None:
    make_torch_deterministic(0, "test", threads=threads)
    assert torch.get_deterministic_debug_mode() == 2
    assert torch.get_num_threads() == threads
    assert {library["num_threads"] for library in threadpool_info()} == {threads}


@pytest.mark.parametrize("cores", ["1", "4"])
def test_the_environment_does_not_change_the_bits(
    cores: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", cores)
    code = """
import hashlib, numpy as np
from twincam.determinism import make_torch_deterministic
make_torch_deterministic(0, "test", threads=2)
import torch
layer = torch.nn.Conv2d(16, 32, 3)
layer(torch.rand(8, 16, 60, 60)).square().mean().backward()
one = np.random.default_rng(0).random((200, 1280))
digest = hashlib.sha256(layer.weight.grad.numpy().tobytes() + (one @ one.T).tobytes())
print(torch.get_num_threads(), digest.hexdigest())
"""
    done = run_in(ROOT, sys.executable, "-c", code)
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert done.stdout == run_in(ROOT, sys.executable, "-c", code).stdout
    assert done.stdout.startswith("2 ")


@pytest.mark.parametrize(("given", "sleeps"), [(None, True), ("ACTIVE", False)])
def test_waiting_threads_sleep_unless_the_user_says_otherwise(
    given: str | None, sleeps: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_DISPLAY_ENV", "VERBOSE")
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    if given:
        monkeypatch.setenv("OMP_WAIT_POLICY", given)
    said = run_in(ROOT, sys.executable, "-m", "stages.train", "--help").stderr
    assert "GOMP_SPINCOUNT = " in said
    assert ("GOMP_SPINCOUNT = '0'" in said) == sleeps
