"""Push outputs to a remote and pull them from it."""

import os
from collections.abc import Iterable
from contextlib import chdir

from dvc.exceptions import DvcException
from dvc.repo import Repo

from twincam.files.errors import UserError
from twincam.sharing.storage import (
    ANSWER,
    Moved,
    fetch_outputs,
    listed,
    missing_from,
    objects,
    reasons,
    run_cache,
    summary,
    tracked,
    upload,
)

REPLACE = (
    "the intact files are in the cache; ask a colleague who has the others to delete them on "
    "the remote and run `make push`, or build them here by `dvc checkout --allow-missing` and "
    "`make repro`"
)
"""What to do where files are missing or corrupted on the remote."""

NOTHING = "none of them is there; check its address with `dvc remote list`, or have them pushed"
"""What to do where the remote has no file at all: it may be another, or gone."""


def push(repo: Repo, name: str | None) -> None:
    """Upload every output and the run cache; fail if the remote then lacks any output."""
    remote = repo.cloud.get_remote(name, "push")
    outputs = tracked(repo)
    folders = {oid: path for path, oid in outputs.items() if oid.endswith(".dir")}
    if lost := [folders[oid] for oid in missing_from(repo.cache.local, folders)]:
        raise UserError(
            f"the cache of this clone lacks {listed(lost)}; run `make repro`, then push"
        )
    done = upload(repo.cache.local, remote.odb, objects(repo.cache.local, outputs))
    print(summary("pushed", done, remote.path))
    require_success(
        done, remote.path, "check that you may write there, run `make repro` and push again"
    )
    print(run_cache(repo, name, push=True))


def pull(repo: Repo, name: str | None, *, everything: bool) -> None:
    """Download outputs, verify them, and check them out if all are intact."""
    outputs = tracked(repo, ("",) if everything else ANSWER)
    download(repo, name, outputs)
    print(run_cache(repo, name, push=False))
    changes = put_in_place(repo, outputs)
    print(
        ", ".join(f"{count} {what}" for what, count in changes.items() if count) or "all in place"
    )


def put_in_place(repo: Repo, paths: Iterable[str]) -> dict[str, int]:
    """Check out the outputs ``paths`` from the cache; count those added, modified and deleted.

    DVC looks for each target among the stages of the current folder first, and reads `dvc.yaml`
    anew each time; in `.dvc` there is none.

    Raises:
        UserError: a file that is stored nowhere else would be lost; nothing was changed.
    """
    try:
        with chdir(repo.dvc_dir):
            done = repo.checkout(targets=[f"{repo.root_dir}/{path}" for path in paths])
    except DvcException as error:
        refusal, *files = str(error).splitlines()
        if "unsaved files" not in refusal:
            raise
        names = [os.path.relpath(file, repo.root_dir) for file in files]
        raise UserError(
            f"{listed(names)}: changed here and stored nowhere else; move away what you want to "
            "keep, delete the rest, and run again"
        ) from None
    return dict(done["stats"])


def download(repo: Repo, name: str | None, outputs: dict[str, str]) -> None:
    """Download ``outputs`` (hash by path) to the cache.

    Raises:
        UserError: the remote lacks a file, or one is corrupted there.
    """
    remote = repo.cloud.get_remote(name, "pull")
    done = fetch_outputs(remote.odb, repo.cache.local, outputs)
    print(summary("fetched", done, remote.path))
    advice = "run again: what arrived is kept"
    if set(done.failed.values()) & {"missing", "corrupted"}:
        advice = REPLACE if done.moved + done.already else NOTHING
    require_success(done, remote.path, advice)


def require_success(done: Moved, place: str, advice: str) -> None:
    """Raise UserError if any part of a transfer failed."""
    if done.failed:
        raise UserError(f"{len(done.failed)} files of {place}: {reasons(done.failed)}; {advice}")
