"""Tasks that run at the same time: all or none, with retries and one-line errors."""

from functools import partial
from pathlib import Path

import psutil
import pytest

from tests.conftest import user_error
from tests.engine import tasks, training
from twincam.determinism import Run
from twincam.engine import cluster, group
from twincam.engine.group import run_group

RAY = Run(engine="ray", threads=1, runtime="auto")

pytestmark = pytest.mark.usefixtures("ray_here")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group, "GRACE", 0.5)
    for module in (cluster, group):
        monkeypatch.setattr(module, "RETRIES", 1)


def test_all_run_at_the_same_time_each_in_a_new_process(tmp_path: Path) -> None:
    processes = []
    for name in "ab":
        (tmp_path / name).mkdir()
        member, process = run_group(partial(tasks.meet, tmp_path / name), 2, RAY)
        host, port = member.meeting.split(":")
        assert (member.rank, member.size) == (0, 2)
        assert host in {one.address for one in psutil.net_if_addrs()[member.interface]}
        assert 0 < int(port) < 65536
        processes.append(process)
    assert processes[0] != processes[1]


def test_an_error_of_the_user_ends_all(impatient: None) -> None:
    message = user_error(run_group, function=tasks.refuse_as_second, size=2, run=RAY)
    assert message == "number 1 is odd; give an even one"
    assert run_group(tasks.rank_of, 2, RAY) == 0, "the first task was not stopped"


def test_all_start_again_where_a_worker_is_killed(tmp_path: Path, impatient: None) -> None:
    assert run_group(partial(tasks.survive, tmp_path, 1), 2, RAY) == "survived"
    message = user_error(run_group, function=partial(tasks.survive, tmp_path, 9), size=2, run=RAY)
    assert "2 tasks that belong together failed on the Ray cluster 2 times" in message


def test_none_starts_without_room_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group, "WAIT", 1)
    message = user_error(run_group, function=tasks.rank_of, size=3, run=RAY)
    assert "3 tasks of 1 processors must run at the same time" in message
    assert "which has 2 processors" in message


def test_a_divided_training_whose_worker_is_killed_ends_as_one_process_does(
    tmp_path: Path,
) -> None:
    alone = training.alone(training.written(tmp_path / "alone"))
    files = training.written(tmp_path / "killed")
    divided = training.by_two(files, training.killed_part)
    assert files.checkpoint.with_suffix(".killed").exists()
    assert training.furthest(divided, alone) < 1e-4
