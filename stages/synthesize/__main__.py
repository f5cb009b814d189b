"""Render the built-in set: cats, and the same cats with one planted defect each."""

import argparse
from pathlib import Path

from stages.common.artifacts import atomic_folder
from stages.common.errors import run_stage
from stages.common.params import read_params
from stages.synthesize.files import processors, write_pairs
from stages.synthesize.params import Params


def parser() -> argparse.ArgumentParser:
    """Return the command line of the stage."""
    flags = argparse.ArgumentParser(prog="python -m stages.synthesize", description=__doc__)
    flags.add_argument("--params", type=Path, required=True, help="params.yaml")
    flags.add_argument("--images", type=Path, required=True, help="folder to write: real/, fake/")
    flags.add_argument("--info", type=Path, required=True, help="folder to write: what is true")
    return flags


def main(argv: list[str]) -> None:
    """Run the stage on the command line ``argv``."""
    args = parser().parse_args(argv)
    settings = read_params(args.params, Params).synthesize
    with atomic_folder(args.images) as images, atomic_folder(args.info) as info:
        write_pairs(settings, images, info, min(processors(), settings.pairs))


if __name__ == "__main__":
    run_stage(main, "synthesize")
