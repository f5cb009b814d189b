"""Send the evaluated images, and those of other sources, on their way and judge what arrives."""

import argparse
from functools import partial
from pathlib import Path

import pandas as pd

from stages.common.artifacts import (
    EVALUATED_SPLITS,
    read_split,
    write_metrics,
    write_table,
)
from stages.common.backbones import device
from stages.common.classifier import check_preprocessing, read_classifier
from stages.common.determinism import make_torch_deterministic
from stages.common.errors import run_stage
from stages.common.images import in_order
from stages.common.messages import warn
from stages.common.near_duplicates import copies_of
from stages.common.params import read_params, require_settings
from stages.deliver.external import find_external, loose_external
from stages.deliver.judging import judge
from stages.deliver.params import Params
from stages.deliver.pictures import Picture, deliver
from stages.deliver.summary import summarise, tabulate


def parser() -> argparse.ArgumentParser:
    """Return the command line of this stage."""
    arguments = argparse.ArgumentParser(prog="stages.deliver", description=__doc__)
    for flag in (
        "params",
        "root",
        "split",
        "external",
        "model",
        "preprocessing",
        "deliveries",
        "metrics",
    ):
        arguments.add_argument(f"--{flag}", type=Path, required=True)
    for flag in ("max-pixels", "near-duplicate-distance"):
        arguments.add_argument(f"--{flag}", type=int, required=True)
    return arguments


def evaluated_pictures(split: pd.DataFrame, root: Path) -> list[Picture]:
    """Return the images of ``split`` that are evaluated, with their files below ``root``."""
    rows = split[split["split"].isin(EVALUATED_SPLITS)]
    told = [rows[name] for name in ("id", "path", "split", "source", "label")]
    files = [root / path for path in rows["path"]]
    return [Picture(*values) for values in zip(*told, files, rows["sha256"], strict=True)]


def main(argv: list[str]) -> None:
    """Write ``data/deliveries.csv`` and ``reports/deliver.json``."""
    args = parser().parse_args(argv)
    params = read_params(args.params, Params)
    require_settings(args.preprocessing, params.prepare, "prepare")
    split = read_split(args.split)
    make_torch_deterministic(0, "deliver", threads=params.run.threads)
    network = read_classifier(args.model)
    check_preprocessing(args.model, params.prepare.model_dump())
    network.module.to(device())
    external = find_external(args.external, network.classes)
    if loose := loose_external(args.external):
        warn("deliver", f"{loose} files of {args.external} lie in no class folder; passed over")

    known = dict(zip(split["sha256"], split["path"], strict=True))
    files = [picture.file for picture in external if not picture.fault]
    copies = copies_of(args.root, split, files, args.near_duplicate_distance, args.max_pixels)
    send = partial(deliver, params.prepare, args.max_pixels, known, copies)
    pictures = [*evaluated_pictures(split, args.root), *external]
    arrivals = zip(pictures, in_order(send, pictures, "deliver"), strict=True)
    judged, logits, left_out = judge(network, arrivals)
    warn("deliver", *(f"left out {one.path}: {one.reason}" for one in left_out))

    table = tabulate(judged, logits, network.classes)
    leaks = [{"path": one.path, "because_of": one.because_of} for one in left_out if one.because_of]
    bad = [{"path": one.path, "reason": one.reason} for one in left_out if not one.because_of]
    write_table(args.deliveries, table)
    write_metrics(args.metrics, {**summarise(table, network.classes), "bad": bad, "leaks": leaks})


if __name__ == "__main__":
    run_stage(main, "deliver")
