"""Measure how faithful heat maps are to the classifier, compared with control maps."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from stages.faithfulness.controls import choose
from stages.faithfulness.figures import curves_figure
from stages.faithfulness.methods import compare_methods, read_heat
from stages.faithfulness.params import Params
from stages.faithfulness.summary import COLUMNS, FEWEST, headlines
from twincam.explanations.maps import shows_place
from twincam.figures.drawing import save_figure, save_picture, skipped_picture
from twincam.files.arrays import read_finite
from twincam.files.atomic import atomic_folder
from twincam.files.command_line import parse_flags
from twincam.files.errors import run_stage
from twincam.files.messages import skipped
from twincam.files.metrics import write_metrics
from twincam.files.params_file import read_params
from twincam.files.tables import EVALUATED_SPLITS, read_split, write_table
from twincam.models.classifier import check_images
from twincam.models.runtimes import Source, opened


def why_skipped(count: int, most: int, heat: Mapping[str, np.ndarray]) -> str:
    """Return why nothing can be measured on ``count`` of at most ``most`` images, "" if it can.

    ``heat`` holds the maps of every method that can localise.
    """
    if most == 0:
        return "faithfulness.images is 0"
    if count < FEWEST:
        return f"{count} images; {FEWEST} are needed"
    return "" if heat else "the heat maps have one cell and cannot localise"


def main(argv: list[str]) -> None:
    """Run the stage."""
    args = parse_flags(
        argv,
        __doc__,
        *("params", "split", "images", "model", "embeddings", "heatmaps"),
        *("metrics", "details", "curves", "figures"),
    )
    params = read_params(args.params, Params)
    split, seed = read_split(args.split), params.seed
    evaluated = np.flatnonzero(split["split"].isin(EVALUATED_SPLITS))
    chosen = choose(split.iloc[evaluated], params.faithfulness.images, seed)
    every = read_heat(args.heatmaps, len(evaluated))
    heat = {name: maps[chosen] for name, maps in every.items() if shows_place(maps)}
    with atomic_folder(args.figures) as folder:
        picture = folder / "faithfulness.png"
        if reason := why_skipped(len(chosen), params.faithfulness.images, heat):
            table = pd.DataFrame(columns=COLUMNS)
            details: dict[str, Any] = skipped("faithfulness", reason)
            save_picture(picture, skipped_picture(reason))
        else:
            source = Source(args.model, args.images, params.run)
            check_images(args.model, opened(source)[1])
            rows = evaluated[chosen]
            logits = read_finite(args.embeddings / "logits.npy")[rows]
            found, table = compare_methods(source, split.iloc[rows], logits, heat, seed)
            details = {"heatmaps": found}
            save_figure(picture, curves_figure(table))
    write_table(args.curves, table)
    write_metrics(args.details, details)
    write_metrics(args.metrics, headlines(details))


if __name__ == "__main__":
    run_stage(main, "faithfulness")
