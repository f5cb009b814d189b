"""A remote in trouble is named, nothing is half-written, and the next try goes on."""

import shutil
import subprocess
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from dvc.repo import Repo

from tests.conftest import user_error
from tests.sharing.servers import FAULTS, Storage, s3, unreliable
from twincam.cli import on_project
from twincam.sharing.storage import reasons
from twincam.sharing.transfer import pull, push

FILES = 9


def content(n: int) -> bytes:
    return f"file {n} ".encode() * 200


@pytest.fixture(autouse=True)
def no_second_try(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have nothing tried again, which would take half a minute."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setattr("s3fs.core.S3FileSystem.retries", 1)


@pytest.fixture
def repo(tmp_path: Path) -> Iterator[Repo]:
    folder = tmp_path / "project"
    (folder / "models").mkdir(parents=True)
    subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
    for n in range(FILES):
        (folder / "models" / str(n)).write_bytes(content(n))
    with Repo.init(str(folder)) as made:
        made.add(str(folder / "models"))
        yield made


@contextmanager
def using(repo: Repo, storage: Storage, address: str) -> Iterator[None]:
    """Have ``repo`` reach the storage at ``address``."""
    settings = {"url": storage.url, **storage.settings, "endpointurl": address}
    with repo.config.edit("local") as config:
        config["core"]["remote"] = "there"
        config["remote"]["there"] = settings
    repo.config.load()
    repo.cloud = type(repo.cloud)(repo)
    yield


def arrived(repo: Repo) -> int:
    return len([path for path in Path(repo.cache.local.path).rglob("*") if path.is_file()])


@pytest.mark.parametrize("fault", FAULTS)
def test_a_pull_that_fails_halfway(repo: Repo, fault: str, tmp_path: Path) -> None:
    with s3(tmp_path) as storage:
        address = storage.settings["endpointurl"]
        with using(repo, storage, address):
            push(repo, None)
        for path in Path(repo.cache.local.path).rglob("*"):
            if path.is_file():
                path.unlink()
        for path in Path(repo.root_dir, "models").iterdir():
            path.unlink()
        with unreliable(address, fault, 3) as proxy, using(repo, storage, proxy):
            message = user_error(pull, repo=repo, name=None, everything=True)
        assert f"{FILES + 1 - 3} files of bucket/twincam: " in message
        assert len(message) < 1500
        assert "delete" not in message, "nothing on the remote is wrong"
        assert "run again: what arrived is kept" in message
        assert arrived(repo) == 3
        assert not list(Path(repo.root_dir, "models").iterdir())
        with using(repo, storage, address):
            pull(repo, None, everything=True)
    files = sorted(Path(repo.root_dir, "models").iterdir())
    assert [file.read_bytes() for file in files] == [content(n) for n in range(FILES)]


def test_a_bucket_that_is_gone_and_a_service_that_refuses(repo: Repo, tmp_path: Path) -> None:
    order = {"args": Namespace(command="push", remote=None), "root": Path(repo.root_dir)}
    with s3(tmp_path) as storage:
        address = storage.settings["endpointurl"]
        with using(repo, replace(storage, url="s3://gone/twincam"), address):
            message = user_error(on_project, **order)
            assert "the remote refuses: The specified bucket does not exist" in message
            shutil.rmtree(repo.cache.local.path)
            message = user_error(pull, repo=repo, name=None, everything=True)
            assert "gone/twincam: missing: models; none of them is there" in message
        with unreliable(address, "403", 0) as proxy, using(repo, storage, proxy):
            order["args"] = Namespace(command="pull", remote=None, all=True)
            assert "the remote refuses: Forbidden; check its address" in user_error(
                on_project, **order
            )


def test_only_the_first_of_many_reasons_are_named() -> None:
    failed = {f"data/{n}": f"broken off after {n} bytes" for n in range(100)}
    said = reasons(failed)
    assert said.endswith("; and 97 other reasons")
    assert said.count(";") == 3
