"""What the tested code starts, such as `dvc` in a revision, runs in forks of `forkserver`, too."""

import sys

import pytest

from tests.conftest import forkserver


@pytest.fixture(autouse=True)
def forks(monkeypatch: pytest.MonkeyPatch) -> None:
    if sys.platform == "linux":
        monkeypatch.setattr(sys, "executable", f"{forkserver()}/python")
