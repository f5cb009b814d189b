"""Two nodes, each in a network namespace of its own as if on two machines; one loses its worker."""

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

HEAD, WORKER, PORT = "10.213.0.1", "10.213.0.2", 6399
HEAD_SPACE, WORKER_SPACE = "twincam-head", "twincam-worker"
RAY = Path(sys.executable).with_name("ray")

NETWORK = (
    f"ip netns add {HEAD_SPACE}",
    f"ip netns add {WORKER_SPACE}",
    f"ip link add tc-head netns {HEAD_SPACE} type veth peer name tc-worker netns {WORKER_SPACE}",
    *(
        f"ip netns exec {space} {command}"
        for space, link, address in (
            (HEAD_SPACE, "tc-head", HEAD),
            (WORKER_SPACE, "tc-worker", WORKER),
        )
        for command in (
            f"ip address add {address}/24 dev {link}",
            f"ip link set {link} up",
            "ip link set lo up",
        )
    ),
)


def inside(space: str, *command: object) -> list[str]:
    return ["ip", "netns", "exec", space, *map(str, command)]


@pytest.fixture(scope="module")
def network() -> Iterator[None]:
    """Connect two network namespaces by a virtual cable."""
    if shutil.which("ip") is None:
        pytest.skip("no `ip` (package iproute2) to make network namespaces with")
    try:
        for command in NETWORK:
            done = subprocess.run(command.split(), capture_output=True, text=True, check=False)
            if done.returncode:
                pytest.skip(f"no network namespaces here: {done.stderr.strip()}")
        yield
    finally:
        for space in (HEAD_SPACE, WORKER_SPACE):
            subprocess.run(["ip", "netns", "delete", space], capture_output=True, check=False)


@pytest.fixture(scope="module")
def away() -> Iterator[Path]:
    """Return a folder of a short name: a socket's whole path may have 107 bytes."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        yield Path(name)


def wait_for(text: str, log: Path, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while text not in log.read_text():
        in_time = process.poll() is None and time.monotonic() < deadline
        assert in_time, log.read_text()[-2000:]
        time.sleep(0.2)


@pytest.fixture(scope="module")
def two_nodes(network: None, away: Path) -> Iterator[dict[str, str]]:
    """Start Ray on both nodes, from folders other than the project's; give a run's environment."""
    own_token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex()}
    environment = {**os.environ, **own_token, "RAY_USAGE_STATS_ENABLED": "0"}
    common = ("--num-cpus", 1, "--object-store-memory", 10**8, "--block")
    starts = (
        (HEAD_SPACE, HEAD, ("--head", "--port", PORT, "--include-dashboard", "false")),
        (WORKER_SPACE, WORKER, ("--address", f"{HEAD}:{PORT}")),
    )
    running = []
    try:
        for space, address, options in starts:
            folder = away / space[-4:]
            folder.mkdir()
            own = ("--node-ip-address", address, "--temp-dir", folder)
            command = inside(space, RAY, "start", *options, *own, *common)
            log = folder / "log"
            with log.open("w") as file:
                running.append(
                    subprocess.Popen(command, cwd=folder, env=environment, stdout=file, stderr=file)
                )
            wait_for("Ray runtime started", log, running[-1])
        yield {**environment, "RAY_ADDRESS": f"{HEAD}:{PORT}"}
    finally:
        for process in reversed(running):
            process.terminate()
        for process in running:
            process.wait(30)


def last_line(environment: dict[str, str], name: str, folder: Path) -> str:
    """Run what `two_nodes.py` calls ``name`` on the first node; return its last line."""
    command = inside(HEAD_SPACE, sys.executable, "-m", "tests.engine.two_nodes", name, folder)
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=90
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.split("\n")[-2]


def test_a_run_ends_right_on_two_nodes_though_a_worker_is_killed(
    two_nodes: dict[str, str], tmp_path: Path
) -> None:
    line = last_line(two_nodes, "many_tasks", tmp_path)
    assert (tmp_path / "killed").exists()
    assert line == f"{list(range(12))} on {[HEAD, WORKER]}"


def test_one_training_is_divided_among_two_nodes(two_nodes: dict[str, str], tmp_path: Path) -> None:
    assert last_line(two_nodes, "one_training", tmp_path) == f"True on {[HEAD, WORKER]}"
