"""TwinCAM on the command line: explain images, serve the app, export, share and compare."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from twincam.files.errors import UserError, run_stage
from twincam.files.profiling import profile_table
from twincam.files.project import project_root


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    program = argparse.ArgumentParser(prog="twincam", description=__doc__)
    commands = program.add_subparsers(dest="command", required=True)

    export = commands.add_parser("export", help="write the classifier and its heat map as ONNX")
    model = "the trained classifier (default: models/classifier.safetensors of the project)"
    export.add_argument("--model", type=Path, help=model)
    export.add_argument("--onnx", type=Path, required=True, help="file to write")

    explain = commands.add_parser("explain", help="print the verdict on images, and why")
    explain.add_argument("pictures", nargs="+", type=Path, help="files, or folders of files")
    pack = "folder written by the stage explainer (default: models/explainer of the project)"
    explain.add_argument("--explainer", type=Path, metavar="FOLDER", help=pack)
    page = "write a self-contained page for each image, and index.html"
    explain.add_argument("--html", type=Path, metavar="FOLDER", help=page)
    drawn = "write a figure for each image"
    explain.add_argument("--png", type=Path, metavar="FOLDER", help=drawn)
    record = "write a list of records (docs/record.md); - is standard output"
    explain.add_argument("--json", type=Path, metavar="FILE", help=record)
    table = "write a table of verdicts; - is standard output"
    explain.add_argument("--csv", type=Path, metavar="FILE", help=table)

    app = commands.add_parser("app", help="serve a page that explains images in the browser")
    app.add_argument("--explainer", type=Path, metavar="FOLDER", help=pack)
    host = "address to listen on (default: 127.0.0.1, this machine only)"
    app.add_argument("--host", default="127.0.0.1", help=host)
    app.add_argument("--port", type=int, default=8000, help="default: 8000; 0: any free port")
    name = "a host name of this server, besides localhost"
    app.add_argument("--name", action="append", default=[], help=name)
    review = "write reviews of the project's images to reviews.csv in the folder data.info"
    app.add_argument("--reviews", action="store_true", help=review)

    preset = commands.add_parser("preset", help="apply a named set of parameters to params.yaml")
    preset.add_argument("name", help="a file in presets/, without .yaml")
    preset.add_argument("--params", type=Path, help="file (default: params.yaml of the project)")

    push = commands.add_parser("push", help="upload every output to the remote")
    pull = commands.add_parser("pull", help="download models and reports from the remote")
    pull.add_argument("--all", action="store_true", help="also images and embeddings")
    for transfer in (push, pull):
        transfer.add_argument("--remote", help="name of the remote (default: the default remote)")

    diff = commands.add_parser("diff", help="show what changed since a revision")
    diff.add_argument("base", help="branch, tag or commit")
    diff.add_argument("--out", type=Path, help="folder (default: diff in the project)")

    models = commands.add_parser("models", help="compare the predictions of two revisions")
    models.add_argument("first", help="branch, tag or commit")
    models.add_argument(
        "second", nargs="?", help="branch, tag or commit (default: the working tree)"
    )
    table = "the table of predictions (default: reports/predictions.csv)"
    models.add_argument("--file", default="reports/predictions.csv", help=table)

    experiments = commands.add_parser("experiments", help="average experiments over their seeds")
    experiments.add_argument(
        "--over", default="seed", help="parameter to average over (default: seed)"
    )

    profile = commands.add_parser(
        "profile", help="show run time and memory of the stages from `make profile`"
    )
    profile.add_argument("folder", type=Path, help="folder of profiles")

    commands.add_parser("check", help="check the last commit before others build on it")
    return program


def main(argv: Sequence[str]) -> None:
    """Run the command that ``argv`` names."""
    args = parser().parse_args(argv)
    if args.command == "export":
        export(args.model, args.onnx)
    elif args.command == "explain":
        explain(args)
    elif args.command == "app":
        app(args)
    elif args.command == "preset":
        preset(args.name, args.params)
    elif args.command == "profile":
        print(profile_table(args.folder))
    else:
        on_project(args, project_root(Path.cwd()))


def export(model: Path | None, onnx: Path) -> None:
    """Write the classifier at ``model``, or the project's, as ONNX."""
    from twincam.app.classifier import load_classifier
    from twincam.app.export import export_onnx

    path = model or project_root(Path.cwd()) / "models" / "classifier.safetensors"
    export_onnx(load_classifier(path), onnx)
    print(f"wrote {onnx}")


def explain(args: argparse.Namespace) -> None:
    """Explain the pictures that ``args`` names; exit with 1 if one could not be read."""
    from twincam.explainer.explaining import default_folder
    from twincam.explainer.outputs import Outputs, explain_files

    outputs = Outputs(args.html, args.png, args.json, args.csv)
    if not explain_files(args.pictures, args.explainer or default_folder(), outputs):
        sys.exit(1)


def app(args: argparse.Namespace) -> None:
    """Serve the app until the process is interrupted.

    Raises:
        UserError: a package is missing, the port is taken, or the explainer does not fit.
    """
    try:
        from twincam.server.serving import Address, run_app
    except ImportError:
        raise UserError(
            "`twincam app` needs starlette and uvicorn, which are not installed; run "
            "`pip install -r requirements-app.txt` in the project"
        ) from None
    run_app(args.explainer, Address(args.host, args.port, args.name), args.reviews)


def preset(name: str, params: Path | None) -> None:
    """Apply the preset ``name`` to ``params``, or to the project's."""
    from twincam.app.presets import set_preset

    root = project_root(Path.cwd())
    changes = set_preset(params or root / "params.yaml", name, root / "presets")
    print("\n".join(changes) or f"params.yaml already matches {name}")


def on_project(args: argparse.Namespace, root: Path) -> None:
    """Run a command that needs DVC on the project at ``root``.

    Raises:
        UserError: DVC is not installed, fails or cannot reach the remote.
    """
    try:
        from dvc.exceptions import DvcException
    except ImportError:
        raise UserError(
            f"`twincam {args.command}` needs DVC, which is not installed; run "
            "`pip install -r requirements.txt` in the project"
        ) from None
    try:
        _share(args, root)
    except DvcException as error:
        raise UserError(" ".join(str(error).split())) from error
    except ConnectionError as error:
        raise UserError(f"the remote is out of reach: {error}; see `dvc remote list`") from error
    except (FileNotFoundError, PermissionError) as error:
        if error.filename is not None:
            raise
        raise UserError(
            f"the remote refuses: {error.strerror or error}; check its address with `dvc remote "
            "list`, your credentials, and this machine's clock"
        ) from error


def _share(args: argparse.Namespace, root: Path) -> None:
    from dvc.repo import Repo

    from twincam.sharing.branch import compare
    from twincam.sharing.checks import check
    from twincam.sharing.experiments import compare_experiments
    from twincam.sharing.models import compare_models
    from twincam.sharing.transfer import pull, push

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


def run() -> None:
    """Run the command on this process's command line."""
    run_stage(main, f"twincam {sys.argv[1]}" if len(sys.argv) > 1 else "twincam")
