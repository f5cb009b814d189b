"""Classify the evaluated images, and those of other sources, after re-saving and resizing."""

from functools import partial
from pathlib import Path

import pandas as pd

from stages.stability.external import find_external, loose_external
from stages.stability.judging import deliver_and_classify
from stages.stability.params import Params
from stages.stability.pictures import Picture, deliver
from stages.stability.summary import headlines, summarise, tabulate
from twincam.files.command_line import parse_flags
from twincam.files.errors import run_stage
from twincam.files.messages import warn
from twincam.files.metrics import write_metrics
from twincam.files.params import require_settings
from twincam.files.params_file import read_params
from twincam.files.tables import EVALUATED_SPLITS, read_split, write_table
from twincam.models.classifier import check_preprocessing
from twincam.models.runtimes import loaded
from twincam.near_duplicates.copies import copies_of


def evaluated_pictures(split: pd.DataFrame, root: Path) -> list[Picture]:
    """Return the evaluated images of ``split`` with their files in ``root``."""
    rows = split[split["split"].isin(EVALUATED_SPLITS)]
    columns = [rows[name] for name in ("id", "path", "split", "source", "label")]
    files = [root / path for path in rows["path"]]
    return [Picture(*values) for values in zip(*columns, files, rows["sha256"], strict=True)]


def main(argv: list[str]) -> None:
    """Run the stage."""
    args = parse_flags(
        argv,
        __doc__,
        "params",
        "root",
        "split",
        "external",
        "model",
        "preprocessing",
        "deliveries",
        "metrics",
        "details",
        integers=(
            "max-pixels",
            "near-duplicate-distance",
        ),
    )
    params = read_params(args.params, Params)
    require_settings(args.preprocessing, params.prepare.model_dump(), "prepare")
    split = read_split(args.split)
    network = loaded(args.model, params.run)
    check_preprocessing(args.model, params.prepare.model_dump())
    external = find_external(args.external, network.classes)
    if loose := loose_external(args.external):
        warn("stability", f"{loose} files in {args.external} are not in a class folder; ignored")

    by_sha256 = dict(zip(split["sha256"], split["path"], strict=True))
    files = [picture.file for picture in external if not picture.fault]
    copies = copies_of(args.root, split, files, args.near_duplicate_distance, args.max_pixels)
    send = partial(deliver, params.prepare, args.max_pixels, by_sha256, copies)
    pictures = [*evaluated_pictures(split, args.root), *external]
    classified, logits, skipped = deliver_and_classify(args.model, params.run, send, pictures)
    warn("stability", *(f"skipped {one.path}: {one.reason}" for one in skipped))

    table = tabulate(classified, logits, network.classes)
    leaks = [{"path": one.path, "copy_of": one.copy_of} for one in skipped if one.copy_of]
    bad = [{"path": one.path, "reason": one.reason} for one in skipped if not one.copy_of]
    write_table(args.deliveries, table)
    details = {**summarise(table, network.classes), "bad": bad, "leaks": leaks}
    write_metrics(args.details, details)
    write_metrics(args.metrics, headlines(details))


if __name__ == "__main__":
    run_stage(main, "stability")
