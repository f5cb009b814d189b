"""Bring every image, and its masks, to one square; into few large arrays."""

import argparse
import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from stages.common.artifacts import read_split
from stages.common.errors import run_stage
from stages.common.images import in_order
from stages.common.params import read_params, write_settings
from stages.prepare.maps import KINDS
from stages.prepare.params import Params
from stages.prepare.squares import list_jobs, make_square
from stages.prepare.stream import npy_rows


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    flags = argparse.ArgumentParser(prog="python -m stages.prepare", description=__doc__)
    for flag in ("--params", "--root", "--info", "--split"):
        flags.add_argument(flag, type=Path, required=True)
    for flag in ("--images", *(f"--{kind}" for kind in KINDS), "--preprocessing"):
        flags.add_argument(flag, type=Path, required=True)
    return flags


def main(argv: list[str]) -> None:
    """Write images and maps as arrays, and how the images were prepared."""
    flags = parser().parse_args(argv)
    settings = read_params(flags.params, Params).prepare
    jobs = list_jobs(read_split(flags.split), flags.info)
    there = {kind: any(job.maps[kind] for job in jobs) for kind in KINDS}
    for kind, found in there.items():
        if (flags.info / kind).is_dir() and not found:
            print(f"prepare: no file in {flags.info / kind} belongs to an image", file=sys.stderr)

    count, square = len(jobs), (settings.image_size, settings.image_size)
    squares = in_order(partial(make_square, flags.root, settings), jobs, "prepare")
    with ExitStack() as files:
        add_image = files.enter_context(npy_rows(flags.images, (count, *square, 3)))
        add_map = {
            kind: files.enter_context(
                npy_rows(getattr(flags, kind), (count if found else 0, *square))
            )
            for kind, found in there.items()
        }
        for image, maps in squares:
            add_image(image)
            for kind in KINDS:
                if there[kind]:
                    add_map[kind](maps[kind])
    write_settings(flags.preprocessing, settings)


if __name__ == "__main__":
    run_stage(main, "prepare")
