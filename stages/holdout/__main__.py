"""Train without each source in turn and score what was left out."""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stages.common.artifacts import (
    class_names,
    read_array,
    read_split,
    write_metrics,
    write_table,
)
from stages.common.errors import run_stage
from stages.common.figures import save_figure, save_picture, sentence_picture
from stages.common.messages import warn
from stages.common.params import read_params
from stages.common.predictions import predictions
from stages.common.refits import logits_alone, refitted
from stages.holdout.figures import recall_figure
from stages.holdout.params import Params
from stages.holdout.sources import leave_out, names
from stages.holdout.summary import figures, macro_recall


def parser() -> argparse.ArgumentParser:
    """Return the command line of this stage."""
    arguments = argparse.ArgumentParser(prog="stages.holdout", description=__doc__)
    for flag in ("params", "images", "split", "weights-file", "checkpoints"):
        arguments.add_argument(f"--{flag}", type=Path, required=True)
    for flag in ("predictions", "metrics", "figure"):
        arguments.add_argument(f"--{flag}", type=Path, required=True)
    return arguments


def main(argv: list[str]) -> None:
    """Run the stage."""
    args = parser().parse_args(argv)
    params = read_params(args.params, Params)
    split, images = read_split(args.split), read_array(args.images)
    classes = class_names(split)
    wanted = names(split, params.holdout)
    found = {name: leave_out(split, params.holdout.by, name) for name in wanted}
    plan = [one for one in found.values() if one]
    empty = predictions(split.head(0), np.zeros((0, len(classes))), classes)
    tables = [empty.assign(left_out="", own=False)]
    metrics: dict[str, Any] = {
        "by": params.holdout.by,
        "skipped": {
            name: "a class would be left without training images"
            for name, one in found.items()
            if one is None
        },
    }
    if plan:
        with refitted(
            "holdout",
            params,
            split,
            images,
            [one.refit for one in plan],
            logits_alone(images),
            inputs=(args.images, args.split),
            weights_file=args.weights_file,
            checkpoints=args.checkpoints,
        ) as scored:
            for one, found_in in zip(plan, scored, strict=True):
                table = predictions(split.iloc[one.refit.score], found_in["logits"], classes)
                tables.append(table.assign(left_out=one.name, own=one.own))
        table = pd.concat(tables[1:], ignore_index=True)
        metrics["left_out"] = {
            str(name): figures(rows, classes) for name, rows in table.groupby("left_out")
        }
        metrics["macro"] = macro_recall(table[table["own"]])
        save_figure(args.figure, recall_figure(metrics["left_out"]))
    else:
        reason = (
            "holdout.at_most is 0"
            if not params.holdout.at_most
            else f"no {params.holdout.by} is named that the classes could spare"
        )
        warn("holdout", f"left out: {reason}")
        metrics["not_measured"] = reason
        save_picture(args.figure, sentence_picture(f"Not measured: {reason}."))
    write_table(args.predictions, pd.concat(tables, ignore_index=True))
    write_metrics(args.metrics, metrics)


if __name__ == "__main__":
    run_stage(main, "holdout")
