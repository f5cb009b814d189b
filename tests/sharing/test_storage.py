"""Push, wipe, clone, pull against real servers; what is missing or damaged is named."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.conftest import ran, run_in
from tests.sharing.servers import SECRET, SERVERS, Storage, damage, http_read_only
from twincam.models.classifier import read_classifier


def use(folder: Path, storage: Storage) -> None:
    run_in(folder, "dvc", "remote", "add", "--local", "--default", "storage", storage.url)
    for name, value in storage.settings.items():
        run_in(folder, "dvc", "remote", "modify", "--local", "storage", name, value)


def clone_of(project: Path, folder: Path, storage: Storage) -> Path:
    run_in(project.parent, "git", "clone", "--quiet", str(project), str(folder))
    use(folder, storage)
    return folder


def sharing(folder: Path, *words: str) -> str:
    return run_in(folder, "python", "-m", "twincam", *words).stdout


def failure(folder: Path, *words: str) -> str:
    done = run_in(folder, "python", "-m", "twincam", *words, check=False)
    lines = done.stderr.strip().splitlines()
    assert done.returncode == 1
    assert lines[-1].startswith(f"twincam {words[0]}: "), done.stderr
    assert "Traceback" not in done.stderr
    return lines[-1]


def hash_of(folder: Path, path: str) -> str:
    lock = YAML(typ="safe").load(folder / "dvc.lock")
    outs = [out for stage in lock["stages"].values() for out in stage["outs"]]
    return next(str(out["md5"]) for out in outs if out["path"] == path)


@pytest.fixture(params=SERVERS)
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Storage]:
    with SERVERS[request.param](tmp_path / "served") as found:
        yield found


def test_from_push_to_a_working_clone(project: Path, storage: Storage, tmp_path: Path) -> None:
    use(project, storage)
    pushed = sharing(project, "push")
    assert "; 0 were there" in pushed
    assert "run cache: 19 entries" in pushed
    assert "pushed 0 files" in sharing(project, "push")
    git = run_in(project, "git", "status", "--short").stdout
    assert git == ""
    assert SECRET not in run_in(project, "git", "grep", "-h", "", "--", ".dvc").stdout

    colleague = clone_of(project, tmp_path / "colleague", storage)
    sharing(colleague, "pull")
    assert read_classifier(colleague / "models/classifier.safetensors").classes == ("fake", "real")
    assert "</html>" in (colleague / "reports/index.html").read_text()
    assert not (colleague / "data/prepared/images").exists()
    assert not (colleague / "data/synthetic").exists()
    sharing(colleague, "pull", "--all")
    assert "up to date" in run_in(colleague, "dvc", "status").stdout


MODEL, PAGE = "models/classifier.safetensors", "reports/index.html"


def damaged(project: Path, storage: Storage, folder: Path) -> Path:
    """Push, damage two objects and return a clone for which a pull has named them."""
    use(project, storage)
    sharing(project, "push")
    damage(storage, hash_of(project, MODEL), None)
    damage(storage, hash_of(project, PAGE), b"not what it was")
    colleague = clone_of(project, folder, storage)
    message = failure(colleague, "pull")
    assert f"missing: {MODEL}" in message
    assert f"corrupted: {PAGE}" in message
    assert "2 files" in message
    return colleague


def test_a_repro_works_where_objects_are_missing_and_corrupted(
    project: Path, tmp_path: Path
) -> None:
    with SERVERS["folder"](tmp_path / "served") as storage:
        colleague = damaged(project, storage, tmp_path / "colleague")
        advice = failure(colleague, "pull", "--all").rpartition("build them here by ")[2]
        assert advice == "`dvc checkout --allow-missing` and `make repro`"
        run_in(colleague, "dvc", "checkout", "--allow-missing")
        assert ran(run_in(colleague, "dvc", "repro").stdout) == ["train", "report"]
        assert "up to date" in run_in(colleague, "dvc", "status").stdout
        assert run_in(colleague, "git", "status", "--short").stdout == ""


def test_missing_and_corrupted_objects_are_named_and_pushed_again(
    project: Path, storage: Storage, tmp_path: Path
) -> None:
    damaged(project, storage, tmp_path / "colleague")
    assert "pushed 1 files" in sharing(project, "push")
    damage(storage, hash_of(project, PAGE), None)
    assert "pushed 1 files" in sharing(project, "push")
    again = clone_of(project, tmp_path / "again", storage)
    sharing(again, "pull", "--all")
    assert "up to date" in run_in(again, "dvc", "status").stdout


def test_a_missing_folder_is_named(project: Path, tmp_path: Path) -> None:
    with SERVERS["folder"](tmp_path / "served") as storage:
        use(project, storage)
        sharing(project, "push")
        damage(storage, hash_of(project, "reports/figures/panels"), None)
        colleague = clone_of(project, tmp_path / "colleague", storage)
        assert "missing: reports/figures/panels" in failure(colleague, "pull")


def test_push_with_a_wiped_cache_says_what_is_lost(project: Path, tmp_path: Path) -> None:
    with SERVERS["folder"](tmp_path / "served") as storage:
        use(project, storage)
        shutil.rmtree(project / ".dvc" / "cache")
        assert "data/embeddings" in failure(project, "push")
        assert not list((tmp_path / "served").rglob("*/md5/*/*"))


def test_push_of_a_corrupted_cache_is_refused(project: Path, tmp_path: Path) -> None:
    with SERVERS["folder"](tmp_path / "served") as storage:
        use(project, storage)
        oid = hash_of(project, "models/classifier.safetensors")
        cached = project / ".dvc" / "cache" / "files" / "md5" / oid[:2] / oid[2:]
        cached.chmod(0o644)
        cached.write_bytes(b"damaged")
        message = failure(project, "push")
        assert "corrupted in the cache of this clone: models/classifier.safetensors" in message
        assert not (tmp_path / "served" / "files" / "md5" / oid[:2] / oid[2:]).exists()


def test_a_web_server_gives_everything_and_refuses_a_push(project: Path, tmp_path: Path) -> None:
    with SERVERS["folder"](tmp_path / "served") as storage:
        use(project, storage)
        sharing(project, "push")
    with http_read_only(tmp_path / "served") as storage:
        colleague = clone_of(project, tmp_path / "colleague", storage)
        assert "run cache: this remote cannot hold one" in sharing(colleague, "pull", "--all")
        assert "up to date" in run_in(colleague, "dvc", "status").stdout
        damage(storage, hash_of(project, "data/split.csv"), b"id,path\n")
        other = clone_of(project, tmp_path / "other", storage)
        assert "corrupted: data/split.csv" in failure(other, "pull", "--all")
    with http_read_only(tmp_path / "empty") as storage:
        refused = clone_of(project, tmp_path / "refused", storage)
        shutil.copytree(project / ".dvc" / "cache", refused / ".dvc" / "cache")
        assert "check that you may write there" in failure(refused, "push")


def test_no_remote_and_an_unreachable_one_end_in_one_line(project: Path) -> None:
    assert "dvc remote add" in failure(project, "pull")
    use(project, Storage("ssh://127.0.0.1:9/nowhere", {"password": "x"}))
    assert "out of reach" in failure(project, "pull")
