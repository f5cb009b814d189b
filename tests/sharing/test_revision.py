"""A revision is checked out wherever git has its objects; otherwise the error says how."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import commit, run_in, user_error
from twincam.sharing.revision import clone_at, commit_of, output_of


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a repository: `first` and `second` on main, then `other` on a branch.

    `other` has no tag: git brings tags along, and with them the commits.
    """
    folder = tmp_path_factory.mktemp("origin") / "repo"
    (folder / "sub").mkdir(parents=True)
    run_in(folder, "git", "init", "--quiet", "--initial-branch", "main")
    for name, value in (
        ("user.email", "test@example.org"),
        ("user.name", "test"),
        ("uploadpack.allowFilter", "true"),
        ("uploadpack.allowAnySHA1InWant", "true"),
    ):
        run_in(folder, "git", "config", name, value)
    for name in ("first", "second", "other"):
        if name == "other":
            run_in(folder, "git", "checkout", "--quiet", "-b", "topic/other")
        (folder / "sub" / "file.txt").write_text(name)
        commit(folder, name)
        if name != "other":
            run_in(folder, "git", "tag", name)
    run_in(folder, "git", "checkout", "--quiet", "main")
    return folder


def clone(origin: Path, folder: Path, *words: str) -> Path:
    run_in(origin, "git", "clone", "--quiet", *words, origin.as_uri(), str(folder))
    return folder


def shallow(origin: Path, folder: Path) -> Path:
    return clone(origin, folder, "--depth", "1")


def as_in_ci(origin: Path, folder: Path) -> Path:
    """Fetch one commit that no branch leads to and check it out, as `actions/checkout` does."""
    folder.mkdir()
    tip = run_in(origin, "git", "rev-parse", "main").stdout.strip()
    run_in(folder, "git", "init", "--quiet")
    run_in(folder, "git", "remote", "add", "origin", origin.as_uri())
    run_in(folder, "git", "fetch", "--quiet", "--no-tags", "--depth", "1", "origin", tip)
    run_in(folder, "git", "checkout", "--quiet", "--detach", "FETCH_HEAD")
    return folder


def without_contents(origin: Path, folder: Path) -> Path:
    return clone(origin, folder, "--filter=blob:none", "--no-checkout")


def sparse(origin: Path, folder: Path) -> Path:
    clone(origin, folder)
    run_in(folder, "git", "sparse-checkout", "set", "nothing")
    return folder


def worktree(origin: Path, folder: Path) -> Path:
    clone(origin, folder.with_name("main"))
    run_in(folder.with_name("main"), "git", "worktree", "add", "--quiet", str(folder), "first")
    return folder


def borrowing(origin: Path, folder: Path) -> Path:
    lender = clone(origin, folder.with_name("lender"))
    run_in(origin, "git", "clone", "--quiet", "--shared", str(lender), str(folder))
    return folder


@pytest.mark.parametrize(
    ("make", "name", "text"),
    [
        (shallow, "HEAD", "second"),
        (shallow, "origin/main", "second"),
        (as_in_ci, "HEAD", "second"),
        (without_contents, "first", "first"),
        (without_contents, "origin/topic/other", "other"),
        (sparse, "first", "first"),
        (worktree, "HEAD", "first"),
        (worktree, "main", "second"),
        (borrowing, "HEAD~1", "first"),
    ],
)
def test_a_commit_that_git_has_is_checked_out(
    make: Callable[[Path, Path], Path], name: str, text: str, origin: Path, tmp_path: Path
) -> None:
    root = make(origin, tmp_path / "clone")
    status = run_in(root, "git", "status", "--short", "--branch").stdout
    found = commit_of(root, name)
    with clone_at(root, found) as folder:
        assert (folder / "sub" / "file.txt").read_text() == text
        assert output_of(folder, "git", "status", "--short") == ""
        assert output_of(folder, "git", "rev-parse", "HEAD").strip() == found
    assert not folder.exists()
    assert run_in(root, "git", "status", "--short", "--branch").stdout == status


def test_an_abbreviated_hash_of_a_branch_that_is_not_here(origin: Path, tmp_path: Path) -> None:
    root = clone(origin, tmp_path / "clone", "--single-branch")
    run_in(root, "git", "fetch", "--quiet", "origin", "topic/other")
    found = run_in(root, "git", "rev-parse", "--short", "FETCH_HEAD").stdout.strip()
    with clone_at(root, commit_of(root, found)) as folder:
        assert (folder / "sub" / "file.txt").read_text() == "other"


def test_a_hook_that_names_its_repository_keeps_it(
    origin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = clone(origin, tmp_path / "clone")
    for name, place in (("GIT_DIR", ".git"), ("GIT_INDEX_FILE", ".git/index")):
        monkeypatch.setenv(name, str(root / place))
    with clone_at(root, commit_of(root, "first")) as folder:
        assert (folder / "sub" / "file.txt").read_text() == "first"
    assert run_in(root, "git", "status", "--short", "--branch").stdout == "## main...origin/main\n"
    assert os.environ["GIT_DIR"] == str(root / ".git")


@pytest.mark.parametrize(
    ("make", "name", "words"),
    [
        (shallow, "first", ["shallow", "git fetch --unshallow", "--depth 1 origin first:first"]),
        (shallow, "HEAD~1", ["shallow", "git fetch --unshallow"]),
        (as_in_ci, "origin/main", ["--depth 1 origin main:refs/remotes/origin/main`"]),
        (
            lambda origin, folder: clone(origin, folder, "--single-branch"),
            "topic/other",
            ["`git fetch origin topic/other:topic/other` fetches that branch"],
        ),
        (clone, "0123456", ["`git branch --all` lists the branches, `git fetch` fetches new ones"]),
    ],
)
def test_a_missing_commit_is_reported_with_how_to_fetch_it(
    make: Callable[[Path, Path], Path], name: str, words: list[str], origin: Path, tmp_path: Path
) -> None:
    line = user_error(commit_of, root=make(origin, tmp_path / "clone"), name=name)
    assert f"{name}: expected a branch, tag or commit" in line
    for word in words:
        assert word in line


@pytest.mark.parametrize("name", ["topic/other", "origin/topic/other"])
def test_the_advised_command_fetches_the_commit(name: str, origin: Path, tmp_path: Path) -> None:
    root = shallow(origin, tmp_path / "clone")
    line = user_error(commit_of, root=root, name=name)
    way = next(part for part in line.split("`") if part.startswith("git fetch --depth 1 "))
    run_in(root, *way.split())
    with clone_at(root, commit_of(root, name)) as folder:
        assert (folder / "sub" / "file.txt").read_text() == "other"


def test_a_folder_without_git_is_named(tmp_path: Path) -> None:
    assert "not a git repository" in user_error(commit_of, root=tmp_path, name="main")
