"""Export the trained classifier: ``python -m verdict export --onnx classifier.onnx``."""

import argparse
from pathlib import Path

from stages.common.errors import run_stage
from stages.common.project import project_root
from verdict.classifier import load_classifier
from verdict.export import export_onnx


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    arguments = argparse.ArgumentParser(prog="verdict", description=__doc__)
    commands = arguments.add_subparsers(dest="command", required=True)
    export = commands.add_parser("export", help="write ONNX with the heat map as second output")
    model = "the trained classifier (default: models/classifier.safetensors of the project)"
    export.add_argument("--model", type=Path, help=model)
    export.add_argument("--onnx", type=Path, required=True)
    return arguments


def main(argv: list[str]) -> None:
    """Run the command."""
    args = parser().parse_args(argv)
    model = args.model or project_root(Path.cwd()) / "models" / "classifier.safetensors"
    export_onnx(load_classifier(model), args.onnx)
    print(f"wrote {args.onnx}")


if __name__ == "__main__":
    run_stage(main, "verdict")
