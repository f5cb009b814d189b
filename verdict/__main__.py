"""Export the trained classifier: ``python -m verdict export --onnx classifier.onnx``."""

import argparse
from pathlib import Path

from stages.common.errors import run_stage
from verdict.classifier import load_classifier
from verdict.export import export_onnx


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    arguments = argparse.ArgumentParser(prog="verdict", description=__doc__)
    commands = arguments.add_subparsers(dest="command", required=True)
    export = commands.add_parser("export", help="write ONNX with the heat map as second output")
    export.add_argument("--model", type=Path, default=Path("models/classifier.safetensors"))
    export.add_argument("--onnx", type=Path, required=True)
    return arguments


def main(argv: list[str]) -> None:
    """Run the command."""
    args = parser().parse_args(argv)
    export_onnx(load_classifier(args.model), args.onnx)
    print(f"wrote {args.onnx}")


if __name__ == "__main__":
    run_stage(main, "verdict")
