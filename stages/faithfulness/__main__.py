"""Measure how faithful heat maps are to the classifier, beside maps that know nothing."""

import argparse
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from stages.common.artifacts import (
    EVALUATED_SPLITS,
    read_array,
    read_finite,
    read_split,
    write_metrics,
    write_table,
)
from stages.common.backbones import device
from stages.common.classifier import check_images, read_classifier
from stages.common.determinism import make_torch_deterministic
from stages.common.errors import run_stage
from stages.common.figures import save_figure, save_picture, sentence_picture, shows_place
from stages.common.messages import warn
from stages.common.params import read_params
from stages.faithfulness.controls import choose
from stages.faithfulness.figures import curves_figure
from stages.faithfulness.methods import compare_methods, read_heat
from stages.faithfulness.params import Params
from stages.faithfulness.summary import COLUMNS, FEWEST


def parser() -> argparse.ArgumentParser:
    """Return the command line of this stage."""
    arguments = argparse.ArgumentParser(prog="stages.faithfulness", description=__doc__)
    for flag in ("params", "split", "images", "model", "embeddings", "heatmaps"):
        arguments.add_argument(f"--{flag}", type=Path, required=True)
    for flag in ("metrics", "curves", "figure"):
        arguments.add_argument(f"--{flag}", type=Path, required=True)
    return arguments


def left_out(count: int, most: int, heat: Mapping[str, np.ndarray]) -> str:
    """Return why nothing can be measured on ``count`` of at most ``most`` images, "" if it can.

    ``heat`` holds the maps of every method that show a place.
    """
    if most == 0:
        return "faithfulness.images is 0"
    if count < FEWEST:
        return f"{count} images; {FEWEST} are the fewest that can be compared"
    return "" if heat else "the heat maps have one cell and show no place"


def main(argv: list[str]) -> None:
    """Run the stage."""
    args = parser().parse_args(argv)
    params = read_params(args.params, Params)
    split, seed = read_split(args.split), params.seed
    evaluated = np.flatnonzero(split["split"].isin(EVALUATED_SPLITS))
    chosen = choose(split.iloc[evaluated], params.faithfulness.images, seed)
    every = read_heat(args.heatmaps, len(evaluated))
    heat = {name: maps[chosen] for name, maps in every.items() if shows_place(maps)}
    if reason := left_out(len(chosen), params.faithfulness.images, heat):
        warn("faithfulness", f"left out: {reason}")
        save_picture(args.figure, sentence_picture(f"Not measured: {reason}."))
        write_table(args.curves, pd.DataFrame(columns=COLUMNS))
        write_metrics(args.metrics, {"left_out": reason})
        return
    make_torch_deterministic(seed, "faithfulness", threads=params.run.threads)
    network = read_classifier(args.model)
    network.module.to(device())
    rows = evaluated[chosen]
    images, logits = read_array(args.images), read_finite(args.embeddings / "logits.npy")[rows]
    check_images(args.model, images)
    metrics, table = compare_methods(network, images, split.iloc[rows], logits, heat, seed)
    save_figure(args.figure, curves_figure(table))
    write_table(args.curves, table)
    write_metrics(args.metrics, {"heatmaps": metrics})


if __name__ == "__main__":
    run_stage(main, "faithfulness")
