"""Push outputs to a remote and pull them from it, and say what moved.

``pull`` brings models and results, ``pull --all`` the images and embeddings, too.
"""

import argparse

from dvc.exceptions import DvcException
from dvc.repo import Repo

from sharing.storage import (
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
from stages.common.errors import UserError, run_stage


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    arguments = argparse.ArgumentParser(prog="sharing", description=__doc__)
    arguments.add_argument("--remote", help="name of the remote (default: the default remote)")
    commands = arguments.add_subparsers(dest="command", required=True)
    commands.add_parser("push", help="send every output")
    pull = commands.add_parser("pull", help="bring models and reports")
    pull.add_argument("--all", action="store_true", help="images and embeddings, too")
    return arguments


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
    remote = repo.cloud.get_remote(name, "pull")
    outputs = tracked(repo, ("",) if everything else ANSWER)
    done = fetch_outputs(remote.odb, repo.cache.local, outputs)
    print(summary("fetched", done, remote.path))
    require(
        done,
        remote.path,
        "what came whole is in the cache: let a colleague who has the files delete them there "
        "and run `make push`, or run `make repro` to build them here",
    )
    print(run_cache(repo, name, push=False))
    changes = repo.checkout(targets=list(outputs))["stats"]
    print(
        ", ".join(f"{count} {what}" for what, count in changes.items() if count) or "all in place"
    )


def require(done: Moved, place: str, advice: str) -> None:
    """Raise `UserError` if anything of a transfer failed."""
    if done.failed:
        raise UserError(f"{len(done.failed)} files of {place}: {reasons(done.failed)}; {advice}")


def main(argv: list[str]) -> None:
    """Run the command."""
    args = parser().parse_args(argv)
    try:
        with Repo() as repo:
            if args.command == "push":
                push(repo, args.remote)
            else:
                pull(repo, args.remote, everything=args.all)
    except DvcException as error:
        raise UserError(" ".join(str(error).split())) from error
    except ConnectionError as error:
        raise UserError(f"the remote is out of reach: {error}; see `dvc remote list`") from error


if __name__ == "__main__":
    run_stage(main, "sharing")
