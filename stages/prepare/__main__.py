"""Bring every image, and its masks, to one square; into few large arrays."""

import argparse
import sys
from functools import partial
from pathlib import Path

from stages.common.artifacts import read_split, write_metrics
from stages.common.errors import run_stage
from stages.common.images import in_order
from stages.common.params import read_params
from stages.prepare.params import Params
from stages.prepare.squares import list_jobs, make_square
from stages.prepare.stream import npy_rows


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    flags = argparse.ArgumentParser(prog="python -m stages.prepare", description=__doc__)
    for flag in ("--params", "--root", "--info", "--split"):
        flags.add_argument(flag, type=Path, required=True)
    for flag in ("--images", "--masks", "--parts", "--preprocessing"):
        flags.add_argument(flag, type=Path, required=True)
    return flags


def main(argv: list[str]) -> None:
    """Write images, masks and parts as arrays, and how the images were prepared."""
    flags = parser().parse_args(argv)
    settings = read_params(flags.params, Params).prepare
    jobs = list_jobs(read_split(flags.split), flags.info)
    masked, parted = any(job.mask for job in jobs), any(job.parts for job in jobs)
    for folder, found in (("masks", masked), ("parts", parted)):
        if (flags.info / folder).is_dir() and not found:
            print(f"prepare: no file in {flags.info / folder} belongs to an image", file=sys.stderr)

    count, square = len(jobs), (settings.size, settings.size)
    squares = in_order(partial(make_square, flags.root, settings), jobs, "prepare")
    with (
        npy_rows(flags.images, (count, *square, 3)) as add_image,
        npy_rows(flags.masks, (count if masked else 0, *square)) as add_mask,
        npy_rows(flags.parts, (count if parted else 0, *square)) as add_parts,
    ):
        for image, mask, parts in squares:
            add_image(image)
            if masked:
                add_mask(mask)
            if parted:
                add_parts(parts)
    write_metrics(flags.preprocessing, settings.model_dump())


if __name__ == "__main__":
    run_stage(main, "prepare")
