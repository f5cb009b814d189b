"""Render the built-in data set: cats, and the same cats with one planted defect each."""

from stages.synthesize.files import write_pairs
from stages.synthesize.params import Params
from stages.synthesize.workers import processors
from twincam.files.atomic import atomic_folder
from twincam.files.command_line import parse_flags
from twincam.files.errors import run_stage
from twincam.files.params_file import read_params


def main(argv: list[str]) -> None:
    """Write the images, and their masks, parts and manifest."""
    args = parse_flags(argv, __doc__, "params", "images", "info")
    settings = read_params(args.params, Params).synthesize
    with atomic_folder(args.images) as images, atomic_folder(args.info) as info:
        write_pairs(settings, images, info, min(processors(), settings.pairs))


if __name__ == "__main__":
    run_stage(main, "synthesize")
