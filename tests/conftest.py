"""What several test files share: a project in a temporary clone, run once on a tiny setting."""

import atexit
import errno
import ipaddress
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from ruamel.yaml import YAML

from twincam.files.errors import UserError

ROOT = Path(__file__).parents[1]
PYTHON = sys.executable
TINY = YAML(typ="safe").load(ROOT / "tests" / "tiny.yaml")

MEMORY = Path("/dev/shm")


def use_memory() -> None:
    """Keep temporary files in memory if there is room: each test may delete thousands of them.

    Those of failed tests stay until the next run.
    """
    if "TMPDIR" not in os.environ and MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > 8e9:
        os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)


use_memory()

# Projects in tests are thrown away, and their bytecode would be, too.
os.environ["PYTHONDONTWRITEBYTECODE"] = "1"

# Two workers on two cores: more threads would only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Started in the background a suite inherits an ignored SIGINT: no stage could be interrupted.
signal.signal(signal.SIGINT, signal.default_int_handler)


def stay_here(event: str, arguments: tuple[Any, ...]) -> None:
    """Refuse what leaves this machine, as if it had no network; commands meet a dead proxy."""
    if event == "socket.getaddrinfo" and not is_here(arguments[0]):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    if event in ("socket.connect", "socket.sendto"):
        address = arguments[1]
        if isinstance(address, tuple) and not is_here(address[0]):
            raise OSError(errno.ENETUNREACH, "Network is unreachable")


def is_here(host: object) -> bool:
    """Return whether ``host`` is a name or an address of the loopback interface, or none."""
    name = host.decode() if isinstance(host, bytes) else host
    if name in (None, "", "localhost", socket.gethostname()):
        return True
    try:
        return ipaddress.ip_address(str(name)).is_loopback or str(name) in ("0.0.0.0", "::")
    except ValueError:
        return False


sys.addaudithook(stay_here)
os.environ |= {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
os.environ |= {"no_proxy": "127.0.0.1,localhost,::1"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the files so that two workers, which take one after another, end together.

    While one makes `finished`, the other has files that do without; the long ones, which use it,
    come next, and short ones last.
    """
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    using = [own for own in files.values() if any(map(uses_finished, own))]
    others = [own for own in files.values() if own not in using]
    half = len(others) // 2
    items[:] = chain(*using[:1], *others[:half], *using[1:], *others[half:])


def uses_finished(item: pytest.Item) -> bool:
    """Return whether a test needs the fixture `finished`, directly or not."""
    return "finished" in getattr(item, "fixturenames", ())


Run = Callable[..., subprocess.CompletedProcess[str]]


@cache
def forkserver() -> str:
    """Start the server that `forkserver.py` describes; return the folder with its programs."""
    server = subprocess.Popen(
        [PYTHON, ROOT / "tests" / "forkserver.py"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert server.stdin
    assert server.stdout
    atexit.register(server.stdin.close)
    return server.stdout.readline().strip()


def run_in(
    folder: Path, *command: str, check: bool = True, forks: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run a command in ``folder`` with this Python first on the path; fail with what it printed.

    Stages, `twincam` and `dvc` run in forks of `forkserver`, unless ``forks`` is false.
    """
    programs = [forkserver()] if forks and sys.platform == "linux" else []
    path = os.pathsep.join([*programs, str(Path(PYTHON).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if check and done.returncode:
        pytest.fail(f"{' '.join(command)}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    return done


def ran(output: str) -> list[str]:
    """Return the stages that DVC, which printed ``output``, has run."""
    return [line.split("'")[1] for line in output.splitlines() if line.startswith("Running stage")]


def change_params(folder: Path, changes: dict[str, dict[str, object]]) -> None:
    """Set values in ``params.yaml`` of ``folder``."""
    yaml = YAML()
    params = yaml.load(folder / "params.yaml")
    for block, values in changes.items():
        params[block].update(values)
    yaml.dump(params, folder / "params.yaml")


def clone_project(folder: Path) -> Path:
    """Copy the working tree's files, without ignored ones, into a new git repository."""
    listed = run_in(ROOT, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in filter(None, listed.stdout.split("\0")):
        source = ROOT / name
        if source.is_file() and name != "dvc.lock":
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, folder / name)
    run_in(folder, "git", "init", "--quiet", "--initial-branch", "main")
    run_in(folder, "git", "config", "user.email", "test@example.org")
    run_in(folder, "git", "config", "user.name", "test")
    commit(folder, "start")
    return folder


def commit(folder: Path, message: str) -> None:
    """Commit everything in ``folder``."""
    run_in(folder, "git", "add", "--all")
    run_in(folder, "git", "commit", "--quiet", "--allow-empty", "--message", message)


def user_error(call: Callable[..., object], **arguments: object) -> str:
    """Return the message that ``call`` ends with: one line that says what to do."""
    with pytest.raises(UserError) as caught:
        call(**arguments)
    message = str(caught.value)
    assert "\n" not in message
    assert ";" in message
    return message


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """Return the folder ``name``, which one process of pytest-xdist has filled by ``make``."""
    own = factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    folder = shared / name
    with FileLock(shared / f"{name}.lock"):
        if not folder.is_dir():
            made = factory.mktemp("making")
            make(made)
            made.rename(folder)
    return folder


def run_tiny(folder: Path) -> None:
    """Run the pipeline on the tiny setting in a clone in ``folder``, and commit."""
    clone_project(folder)
    change_params(folder, TINY)
    run_in(folder, "dvc", "repro")
    commit(folder, "run")


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a clone in which the tiny pipeline has run and is committed; do not change it."""
    return made_once(tmp_path_factory, "finished", run_tiny)


@pytest.fixture(scope="session")
def store(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a shared folder to which ``finished`` is pushed; do not change it."""

    def push_to(folder: Path) -> None:
        project = folder.with_name(f"{folder.name}-project")
        shutil.copytree(finished, project, symlinks=True)
        run_in(project, "dvc", "remote", "add", "--default", "storage", str(folder))
        run_in(project, "python", "-m", "twincam", "push")
        shutil.rmtree(project)

    return made_once(tmp_path_factory, "store", push_to)


@pytest.fixture
def project(finished: Path, tmp_path: Path) -> Iterator[Path]:
    """Return a copy of ``finished`` to change at will."""
    folder = tmp_path / "project"
    shutil.copytree(finished, folder, symlinks=True)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def pushed(project: Path, store: Path, tmp_path: Path) -> Path:
    """Return a ``project`` that is pushed to its default remote, the folder ``store`` beside it."""
    remote = shutil.copytree(store, tmp_path / "store")
    run_in(project, "dvc", "remote", "add", "--default", "storage", str(remote))
    commit(project, "remote")
    return project


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a folder on a file system of 64 kB of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder))
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)
