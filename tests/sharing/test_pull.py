"""`make pull` works from any folder of the project, and keeps files stored nowhere else."""

import shutil
from pathlib import Path

import pytest
from dvc.repo import Repo

from tests.conftest import commit, run_in, user_error
from twincam.sharing.transfer import pull, push


@pytest.fixture
def pushed(tmp_path: Path) -> Path:
    """Return a project whose folder `reports/panels` is on the remote."""
    folder = tmp_path / "project"
    (folder / "reports" / "panels").mkdir(parents=True)
    (folder / "docs").mkdir()
    for name in ("a", "b"):
        (folder / "reports" / "panels" / name).write_text(name)
    run_in(folder, "git", "init", "--quiet")
    run_in(folder, "git", "config", "user.email", "test@example.org")
    run_in(folder, "git", "config", "user.name", "test")
    run_in(folder, "dvc", "init", "--quiet")
    run_in(folder, "dvc", "remote", "add", "--default", "storage", str(tmp_path / "store"))
    run_in(folder, "dvc", "add", "--quiet", "reports/panels")
    commit(folder, "panels")
    with Repo(str(folder)) as repo:
        push(repo, None)
    return folder


def pull_from(folder: Path) -> None:
    with Repo(str(folder)) as repo:
        pull(repo, None, everything=False)


def test_a_folder_below_the_project_will_do(
    pushed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(pushed / "reports" / "panels")
    shutil.rmtree(pushed / ".dvc" / "cache")
    monkeypatch.chdir(pushed / "docs")
    pull_from(pushed)
    assert sorted(path.name for path in (pushed / "reports" / "panels").iterdir()) == ["a", "b"]
    assert "2 added" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["a", "mine.md"])
def test_a_file_that_is_stored_nowhere_else_is_kept(name: str, pushed: Path) -> None:
    file = pushed / "reports" / "panels" / name
    (pushed / "reports" / "panels" / "b").unlink()
    file.unlink(missing_ok=True)
    file.write_text("mine")
    line = user_error(pull_from, folder=pushed)
    assert line.startswith(f"reports/panels/{name}: changed here and stored nowhere else")
    assert "--force" not in line
    assert file.read_text() == "mine"
