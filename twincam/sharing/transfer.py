"""Push outputs to a remote and pull them from it, and say what moved."""

import os
from collections.abc import Iterable

from dvc.exceptions import DvcException
from dvc.repo import Repo

from twincam.files.errors import UserError
from twincam.sharing.storage import (
    ANSWER,
    Moved,
    absent,
    fetch_outputs,
    listed,
    objects,
    reasons,
    run_cache,
    send,
    summary,
    tracked,
)


def push(repo: Repo, name: str | None) -> None:
    """Send every output and the run cache; fail if the remote does not hold all of it after."""
    remote = repo.cloud.get_remote(name, "push")
    outputs = tracked(repo)
    folders = {oid: path for path, oid in outputs.items() if oid.endswith(".dir")}
    if lost := [folders[oid] for oid in absent(repo.cache.local, folders)]:
        raise UserError(
            f"the cache of this clone lacks {listed(lost)}; run `make repro`, then push"
        )
    done = send(repo.cache.local, remote.odb, objects(repo.cache.local, outputs))
    print(summary("pushed", done, remote.path))
    require(done, remote.path, "see that you may write there and have run `make repro`, push again")
    print(run_cache(repo, name, push=True))


def pull(repo: Repo, name: str | None, *, everything: bool) -> None:
    """Bring outputs, check each, and put them in their places if all are whole."""
    outputs = tracked(repo, ("",) if everything else ANSWER)
    bring(repo, name, outputs)
    print(run_cache(repo, name, push=False))
    changes = put_in_place(repo, outputs)
    print(
        ", ".join(f"{count} {what}" for what, count in changes.items() if count) or "all in place"
    )


def put_in_place(repo: Repo, paths: Iterable[str]) -> dict[str, int]:
    """Lay out the outputs ``paths`` from the cache; return how many were added, modified, deleted.

    Raises:
        UserError: a file that is nowhere else would be lost; nothing was moved.
    """
    try:
        done = repo.checkout(targets=[f"{repo.root_dir}/{path}" for path in paths])
    except DvcException as error:
        refusal, *files = str(error).splitlines()
        if "unsaved files" not in refusal:
            raise
        names = [os.path.relpath(file, repo.root_dir) for file in files]
        raise UserError(
            f"{listed(names)}: changed here and kept nowhere else; move away what you want to "
            "keep, delete the rest, and run again"
        ) from None
    return dict(done["stats"])


def bring(repo: Repo, name: str | None, outputs: dict[str, str]) -> None:
    """Bring ``outputs`` (hash by path) to the cache.

    Raises:
        UserError: the remote lacks a file, or one is corrupted there.
    """
    remote = repo.cloud.get_remote(name, "pull")
    done = fetch_outputs(remote.odb, repo.cache.local, outputs)
    print(summary("fetched", done, remote.path))
    require(
        done,
        remote.path,
        "what came whole is in the cache: let a colleague who has the files delete them there "
        "and run `make push`, or run `make repro` to build them here",
    )


def require(done: Moved, place: str, advice: str) -> None:
    """Raise `UserError` if anything of a transfer failed."""
    if done.failed:
        raise UserError(f"{len(done.failed)} files of {place}: {reasons(done.failed)}; {advice}")
