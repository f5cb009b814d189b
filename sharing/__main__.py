"""Share runs: push and pull outputs, compare branches and experiments, check a commit."""

import argparse
import os
from pathlib import Path

from dvc.exceptions import DvcException
from dvc.repo import Repo

from sharing.branch import compare
from sharing.checks import check
from sharing.experiments import compare_experiments
from sharing.models import compare_models
from sharing.transfer import pull, push
from stages.common.errors import UserError, run_stage
from stages.common.project import project_root


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    arguments = argparse.ArgumentParser(prog="sharing", description=__doc__)
    arguments.add_argument("--remote", help="name of the remote (default: the default remote)")
    commands = arguments.add_subparsers(dest="command", required=True)
    commands.add_parser("push", help="send every output")
    pulls = commands.add_parser("pull", help="bring models and reports")
    pulls.add_argument("--all", action="store_true", help="images and embeddings, too")
    diff = commands.add_parser("diff", help="show what changed since a revision")
    diff.add_argument("base", help="branch, tag or commit")
    diff.add_argument("--out", type=Path, help="folder (default: diff in the project)")
    models = commands.add_parser("models", help="compare the predictions of two revisions")
    models.add_argument("first", help="branch, tag or commit")
    models.add_argument("second", nargs="?", help="the same (default: the working tree)")
    table = "the table of predictions (default: reports/predictions.csv)"
    models.add_argument("--file", default="reports/predictions.csv", help=table)
    experiments = commands.add_parser("experiments", help="average experiments over their seeds")
    experiments.add_argument("--over", default="seed", help="parameter that varies (default: seed)")
    commands.add_parser("check", help="check the last commit before others build on it")
    return arguments


def run(args: argparse.Namespace) -> None:
    """Run the command that ``args`` name, on the project around the current folder."""
    root = project_root(Path.cwd())
    if args.command == "diff":
        out = Path(os.path.relpath(root / "diff")) if args.out is None else args.out
        print(compare(root, args.base, out))
        print(f"wrote {out / 'index.html'} and {out / 'diff.md'}")
    elif args.command == "models":
        print(compare_models(root, args.first, args.second, args.file))
    elif args.command == "experiments":
        print(compare_experiments(root, args.over))
    elif args.command == "check":
        check(root, lambda name: print(f"ok: {name}"))
    else:
        with Repo(str(root)) as repo:
            if args.command == "push":
                push(repo, args.remote)
            else:
                pull(repo, args.remote, everything=args.all)


def main(argv: list[str]) -> None:
    """Run the command."""
    try:
        run(parser().parse_args(argv))
    except DvcException as error:
        raise UserError(" ".join(str(error).split())) from error
    except ConnectionError as error:
        raise UserError(f"the remote is out of reach: {error}; see `dvc remote list`") from error


if __name__ == "__main__":
    run_stage(main, "sharing")
