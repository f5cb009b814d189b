"""The command line of a stage: every path and number a flag, all of them required."""

import argparse
from collections.abc import Sequence
from pathlib import Path


def parse_flags(
    argv: Sequence[str], description: str | None, *paths: str, integers: Sequence[str] = ()
) -> argparse.Namespace:
    """Return the values of ``--<name>`` for each of ``paths`` and ``integers``.

    Args:
        argv: the command line without the program's name.
        description: shown by ``--help``.
        paths: names of flags that hold paths, ``weights-file`` say, read as ``weights_file``.
        integers: names of flags that hold whole numbers.
    """
    parser = argparse.ArgumentParser(description=description)
    for name in paths:
        parser.add_argument(f"--{name}", type=Path, required=True)
    for name in integers:
        parser.add_argument(f"--{name}", type=int, required=True)
    return parser.parse_args(argv)
