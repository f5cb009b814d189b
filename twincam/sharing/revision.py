"""Check out a revision next to the working tree, and find stages that are not up to date."""

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
from twincam.sharing.storage import is_complete, tracked
from twincam.sharing.transfer import download, put_in_place

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
"""Variables that bind git to one repository wherever it is called, as they do in a hook."""


def run_command(
    folder: Path, *words: str, index: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command in ``folder``, ignoring `OF_ONE_REPOSITORY`.

    Args:
        folder: where to run it.
        words: the command and its arguments.
        index: the git index to use instead of the repository's own.
    """
    environment = {
        name: value for name, value in os.environ.items() if name not in OF_ONE_REPOSITORY
    }
    if index:
        environment["GIT_INDEX_FILE"] = str(index)
    return subprocess.run(
        words, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def output_of(folder: Path, *words: str, index: Path | None = None) -> str:
    """Run a command as in `run_command` and return its output.

    Raises:
        UserError: it fails; the message contains the last line of its output.
    """
    done = run_command(folder, *words, index=index)
    if done.returncode:
        output = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()
        shown = " ".join(word for word in words if word not in (sys.executable, "-m"))
        raise UserError(f"`{shown}` failed: {output[-1]}; fix it and run again")
    return done.stdout


def dvc(folder: Path, *words: str) -> str:
    """Run a ``dvc`` command and return its output; errors as in `output_of`."""
    return output_of(folder, sys.executable, "-m", "dvc", *words)


def commit_of(root: Path, name: str) -> str:
    """Return the hash of the commit called ``name``.

    Raises:
        UserError: there is no such commit in this clone; the message says how to fetch it.
    """
    words = ("git", "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    done = run_command(root, *words)
    if done.returncode == 0:
        return done.stdout.strip()
    if "fatal: " in done.stderr and "Needed a single revision" not in done.stderr:
        output = " ".join(done.stderr.split())
        raise UserError(f"git says {output}; fix it and run again")
    ways = how_to_fetch(root, name)
    raise UserError(f"{name}: expected a branch, tag or commit of this clone; {ways}")


def how_to_fetch(root: Path, name: str) -> str:
    """Return advice on how to fetch the commit ``name`` that this clone lacks."""
    shallow = output_of(root, "git", "rev-parse", "--is-shallow-repository").strip() == "true"
    ways = ["`git branch --all` lists the branches"]
    if shallow:
        ways.append("the clone is shallow: `git fetch --unshallow` fetches the whole history")
    remotes = output_of(root, "git", "remote").split()
    remote, _, branch = name.partition("/")
    if remote not in remotes:
        remote, branch = "origin", name
    if remote in remotes and re.fullmatch(r"(?![0-9a-f]{7,40}$)\w[\w./-]*", branch):
        place = f"refs/remotes/{name}" if name != branch else branch
        depth = "--depth 1 " if shallow else ""
        ways.append(f"`git fetch {depth}{remote} {branch}:{place}` fetches that branch or tag")
    elif remotes and not shallow:
        ways.append("`git fetch` fetches new ones")
    return ", ".join(ways)


@contextmanager
def clone_at(root: Path, commit: str) -> Iterator[Path]:
    """Yield a temporary repository at ``commit`` of ``root``, without outputs and without a cache.

    It shares the objects of ``root``, so that it works for commits on no branch and in a shallow
    clone. The files are checked out by git in ``root``, which fetches those that a partial clone
    lacks.
    """
    with tempfile.TemporaryDirectory(prefix="twincam-") as temporary:
        folder = Path(temporary) / "clone"
        words = ("rev-parse", "--path-format=absolute", "--git-path", "objects")
        objects = output_of(root, "git", *words).removesuffix("\n")
        output_of(root, "git", "init", "--quiet", str(folder))
        (folder / ".git" / "objects" / "info" / "alternates").write_text(f"{objects}\n")
        output_of(
            root,
            *("git", "--work-tree", str(folder), "read-tree", "--reset", "-u"),
            *("--no-sparse-checkout", commit),
            index=Path(temporary) / "index",
        )
        output_of(folder, "git", "reset", "--quiet", commit)
        yield folder


@contextmanager
def revision(root: Path, commit: str) -> Iterator[Path]:
    """Yield a `clone_at` that shares the cache of ``root``."""
    with clone_at(root, commit) as folder:
        with Repo(str(root)) as repo:
            cache = str(repo.cache.local.path).removesuffix("/files/md5")
        dvc(folder, "cache", "dir", "--local", cache)
        yield folder


def check_out(root: Path, folder: Path, name: str, paths: tuple[str, ...]) -> None:
    """Check out the outputs ``paths`` of revision ``name`` in ``folder``.

    They come from the cache or, if it lacks them, from the current remote of ``root``: an older
    revision may name another remote, or the same one by a path relative to its folder.

    Raises:
        UserError: they are in neither.
    """
    with Repo(str(root)) as home, Repo(str(folder)) as repo:
        outputs = {path: oid for path, oid in tracked(repo).items() if path in paths}
        if not is_complete(home.cache.local, outputs):
            if not home.config["core"].get("remote"):
                raise UserError(
                    f"the cache lacks outputs of {name} and there is no remote; add one with "
                    f"`dvc remote add --default`, or check out {name} and run `make repro`"
                )
            download(home, None, outputs)
        put_in_place(repo, outputs)


def stage_that_writes(folder: Path, output: str) -> str:
    """Return the name of the stage in ``folder`` that writes ``output``.

    Raises:
        UserError: no stage does.
    """
    with Repo(str(folder)) as repo:
        try:
            return str(repo.find_outs_by_path(str(folder / output))[0].stage.name)
        except OutputNotFoundError:
            raise UserError(
                f"{output}: expected an output of a stage; choose one that dvc.yaml lists"
            ) from None


def stale_stages(folder: Path, *targets: str) -> list[str]:
    """Return the stages whose outputs in ``dvc.lock`` are not up to date with code and parameters.

    If stages are given as ``targets``, only these and those they depend on are considered. Nothing
    is run. Neither data nor cache is needed, but without them the stages that depend on a stale one
    may be missing.

    Raises:
        UserError: DVC cannot read the pipeline.
    """
    words = (sys.executable, "-m", "dvc", "repro", "--dry", "--allow-missing", *targets)
    done = run_command(folder, *words)
    output = done.stdout + done.stderr
    found = re.findall(r"Running stage '(.+)':|failed to reproduce '(.+?)'", output)
    stages = list(dict.fromkeys(name for names in found for name in names if name))
    if done.returncode and not stages:
        raise UserError(f"dvc.yaml: {done.stderr.strip().splitlines()[-1]}; see `dvc status`")
    return stages
