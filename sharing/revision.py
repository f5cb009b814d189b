"""A revision of the project beside the working tree, and whether a tree's results are its own."""

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dvc.exceptions import OutputNotFoundError
from dvc.repo import Repo

from sharing.storage import complete, tracked
from sharing.transfer import bring
from stages.common.errors import UserError


def command(folder: Path, *words: str) -> str:
    """Return what a command prints that runs in ``folder``.

    Raises:
        UserError: it fails; the line holds what it said last.
    """
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()
        called = " ".join(word for word in words if word not in (sys.executable, "-m"))
        raise UserError(f"`{called}` failed: {said[-1]}; put that right and run again")
    return done.stdout


def dvc(folder: Path, *words: str) -> str:
    """Return what a ``dvc`` command prints; errors as in `command`."""
    return command(folder, sys.executable, "-m", "dvc", *words)


def commit_of(root: Path, name: str) -> str:
    """Return the hash of the commit that ``name`` stands for.

    Raises:
        UserError: git knows no such commit.
    """
    try:
        return command(root, "git", "rev-parse", "--verify", f"{name}^{{commit}}").strip()
    except UserError:
        raise UserError(
            f"{name}: expected a branch, tag or commit; `git branch --all` lists the branches, "
            "`git fetch` brings new ones"
        ) from None


@contextmanager
def clone_at(root: Path, commit: str) -> Iterator[Path]:
    """Yield a temporary clone of ``root`` at ``commit``, without outputs and without a cache."""
    with tempfile.TemporaryDirectory(prefix="twincam-") as temporary:
        folder = Path(temporary) / "clone"
        words = ("--quiet", "--shared", "--no-checkout", str(root), str(folder))
        command(root, "git", "clone", *words)
        command(folder, "git", "checkout", "--quiet", "--detach", commit)
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
        repo.checkout(targets=[str(folder / path) for path in outputs])


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
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    found = re.findall(r"Running stage '(.+)':|failed to reproduce '(.+?)'", said)
    stages = list(dict.fromkeys(name for names in found for name in names if name))
    if done.returncode and not stages:
        raise UserError(f"dvc.yaml: {done.stderr.strip().splitlines()[-1]}; see `dvc status`")
    return stages
