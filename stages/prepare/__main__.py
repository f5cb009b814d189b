"""Turn every image and its maps into squares of one size, stored in a few large arrays."""

from contextlib import ExitStack
from functools import partial

from stages.prepare.maps import KINDS, misnamed, perhaps_inverted, stray_files
from stages.prepare.params import Params
from stages.prepare.squares import list_jobs, make_square
from twincam.engine.images import map_images
from twincam.files.command_line import parse_flags
from twincam.files.errors import run_stage
from twincam.files.folders import listed
from twincam.files.messages import warn
from twincam.files.params import write_settings
from twincam.files.params_file import read_params
from twincam.files.shards import write_shards
from twincam.files.tables import read_split


def main(argv: list[str]) -> None:
    """Write the arrays of images and maps, and the settings used."""
    flags = parse_flags(
        argv,
        __doc__,
        "params",
        "root",
        "info",
        "split",
        "images",
        "masks",
        "parts",
        "marks",
        "preprocessing",
    )
    params = read_params(flags.params, Params)
    settings = params.prepare
    split = read_split(flags.split)
    jobs = list_jobs(split, flags.info)
    has_maps = {kind: any(job.maps[kind] for job in jobs) for kind in KINDS}
    paths = [job.path for job in jobs]
    strays = [
        stray_files(flags.info / kind, paths, [job.maps[kind] for job in jobs]) for kind in KINDS
    ]
    warn("prepare", *misnamed(flags.info), *filter(None, strays))

    labels, side = split["label"].tolist(), settings.image_size
    squares = map_images(partial(make_square, flags.root, settings), jobs, params.run, "prepare")
    with ExitStack() as files:
        add_image = files.enter_context(write_shards(flags.images, labels, (side, side, 3)))
        add_map = {
            kind: files.enter_context(
                write_shards(getattr(flags, kind), labels if found else [], (side, side))
            )
            for kind, found in has_maps.items()
        }
        empty: dict[str, list[str]] = {kind: [] for kind in KINDS}
        mostly_inside = 0
        for job, (image, maps) in zip(jobs, squares, strict=True):
            add_image(image)
            mostly_inside += bool((maps["masks"] > 0).mean() > 1 / 2)
            for kind in KINDS:
                if has_maps[kind]:
                    add_map[kind](maps[kind])
                if job.maps[kind] and not maps[kind].any():
                    empty[kind].append(str(job.maps[kind]))
    for kind, blank in empty.items():
        if blank:
            warn("prepare", f"{len(blank)} of the {kind} are empty after cropping: {listed(blank)}")
    count_masks = sum(job.maps["masks"] is not None for job in jobs)
    warn("prepare", *filter(None, [perhaps_inverted(mostly_inside, count_masks)]))
    write_settings(flags.preprocessing, settings.model_dump())


if __name__ == "__main__":
    run_stage(main, "prepare")
