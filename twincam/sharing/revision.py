"""A revision of the project beside the working tree, and whether a tree's results are its own."""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dvc.exceptions import OutputNotFoundError
from dvc.repo import Repo

from twincam.files.errors import UserError
from twincam.sharing.storage import complete, tracked
from twincam.sharing.transfer import bring, put_in_place

OF_ONE_REPOSITORY = {
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_WORK_TREE",
}
"""Variables that make git work on one repository wherever it is called, as inside a hook."""


def called(
    folder: Path, *words: str, index: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command in ``folder``, whatever repository the environment names, as in a git hook.

    Args:
        folder: where to run it.
        words: the command.
        index: git's index to use instead of the repository's own.
    """
    environment = {
        name: value for name, value in os.environ.items() if name not in OF_ONE_REPOSITORY
    }
    if index:
        environment["GIT_INDEX_FILE"] = str(index)
    return subprocess.run(
        words, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def command(folder: Path, *words: str, index: Path | None = None) -> str:
    """Return what a command prints that runs as in `called`.

    Raises:
        UserError: it fails; the line holds what it said last.
    """
    done = called(folder, *words, index=index)
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()
        shown = " ".join(word for word in words if word not in (sys.executable, "-m"))
        raise UserError(f"`{shown}` failed: {said[-1]}; put that right and run again")
    return done.stdout


def dvc(folder: Path, *words: str) -> str:
    """Return what a ``dvc`` command prints; errors as in `command`."""
    return command(folder, sys.executable, "-m", "dvc", *words)


def commit_of(root: Path, name: str) -> str:
    """Return the hash of the commit that ``name`` stands for.

    Raises:
        UserError: git knows no such commit, or this clone lacks it; the line says how to bring it.
    """
    words = ("git", "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    done = called(root, *words)
    if done.returncode == 0:
        return done.stdout.strip()
    if "fatal: " in done.stderr and "Needed a single revision" not in done.stderr:
        said = " ".join(done.stderr.split())
        raise UserError(f"git says {said}; put that right and run again")
    ways = ways_to(root, name)
    raise UserError(f"{name}: expected a branch, tag or commit of this clone; {ways}")


def ways_to(root: Path, name: str) -> str:
    """Return as a phrase how the commit ``name`` may come into a clone that lacks it."""
    shallow = command(root, "git", "rev-parse", "--is-shallow-repository").strip() == "true"
    ways = ["`git branch --all` lists the branches"]
    if shallow:
        ways.append("the clone is shallow: `git fetch --unshallow` brings the whole history")
    remotes = command(root, "git", "remote").split()
    remote, _, branch = name.partition("/")
    if remote not in remotes:
        remote, branch = "origin", name
    if remote in remotes and re.fullmatch(r"(?![0-9a-f]{7,40}$)\w[\w./-]*", branch):
        place = f"refs/remotes/{name}" if name != branch else branch
        depth = "--depth 1 " if shallow else ""
        ways.append(f"`git fetch {depth}{remote} {branch}:{place}` brings that branch or tag")
    elif remotes and not shallow:
        ways.append("`git fetch` brings new ones")
    return ", ".join(ways)


@contextmanager
def clone_at(root: Path, commit: str) -> Iterator[Path]:
    """Yield a temporary repository at ``commit`` of ``root``, without outputs and without a cache.

    It borrows the objects of ``root``: so it needs no branch that leads to ``commit``, and works in
    a shallow clone, too. The files are written by git in ``root``, which brings what a partial
    clone lacks of them.
    """
    with tempfile.TemporaryDirectory(prefix="twincam-") as temporary:
        folder = Path(temporary) / "clone"
        words = ("rev-parse", "--path-format=absolute", "--git-path", "objects")
        objects = command(root, "git", *words).removesuffix("\n")
        command(root, "git", "init", "--quiet", str(folder))
        (folder / ".git" / "objects" / "info" / "alternates").write_text(f"{objects}\n")
        command(
            root,
            *("git", "--work-tree", str(folder), "read-tree", "--reset", "-u"),
            *("--no-sparse-checkout", commit),
            index=Path(temporary) / "index",
        )
        command(folder, "git", "reset", "--quiet", commit)
        yield folder


@contextmanager
def revision(root: Path, commit: str) -> Iterator[Path]:
    """Yield a `clone_at` that shares the cache of ``root``."""
    with clone_at(root, commit) as folder:
        with Repo(str(root)) as repo:
            cache = str(repo.cache.local.path).removesuffix("/files/md5")
        dvc(folder, "cache", "dir", "--local", cache)
        yield folder


def lay_out(root: Path, folder: Path, name: str, paths: tuple[str, ...]) -> None:
    """Put the outputs ``paths`` of revision ``name`` in their places in ``folder``.

    They come from the cache or, where it lacks them, from the remote that ``root`` names now: an
    older revision may know another, or the same by a path that is relative to its folder.

    Raises:
        UserError: they are in neither.
    """
    with Repo(str(root)) as home, Repo(str(folder)) as repo:
        outputs = {path: oid for path, oid in tracked(repo).items() if path in paths}
        if not complete(home.cache.local, outputs):
            if not home.config["core"].get("remote"):
                raise UserError(
                    f"the cache lacks outputs of {name} and there is no remote to ask; name one "
                    "with `dvc remote add --default`, or check it out and run `make repro`"
                )
            bring(home, None, outputs)
        put_in_place(repo, outputs)


def stage_that_writes(folder: Path, output: str) -> str:
    """Return the name of the stage in ``folder`` that has ``output`` among its outputs.

    Raises:
        UserError: no stage has.
    """
    with Repo(str(folder)) as repo:
        try:
            return str(repo.find_outs_by_path(str(folder / output))[0].stage.name)
        except OutputNotFoundError:
            raise UserError(
                f"{output}: expected an output of a stage; dvc.yaml lists those there are"
            ) from None


def stale_stages(folder: Path, *targets: str) -> list[str]:
    """Return the stages whose outputs in ``dvc.lock`` are not those of this code and these params.

    Of ``targets``, stages, only those that they rest on count, and they themselves. Nothing is run,
    and neither data nor cache is needed: without them, the stages below a stale one may go unnamed.

    Raises:
        UserError: DVC cannot read the pipeline.
    """
    words = (sys.executable, "-m", "dvc", "repro", "--dry", "--allow-missing", *targets)
    done = called(folder, *words)
    said = done.stdout + done.stderr
    found = re.findall(r"Running stage '(.+)':|failed to reproduce '(.+?)'", said)
    stages = list(dict.fromkeys(name for names in found for name in names if name))
    if done.returncode and not stages:
        raise UserError(f"dvc.yaml: {done.stderr.strip().splitlines()[-1]}; see `dvc status`")
    return stages
