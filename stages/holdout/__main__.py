"""Train without each source in turn and score what was left out."""

import argparse
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from stages.common.artifacts import (
    class_names,
    read_array,
    read_split,
    write_metrics,
    write_table,
)
from stages.common.determinism import make_torch_deterministic
from stages.common.errors import run_stage
from stages.common.figures import save_figure, save_picture, sentence_picture
from stages.common.params import read_params
from stages.common.predictions import predictions
from stages.common.refits import refit_logits
from stages.common.setup import initial_network, run_key
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
        make_torch_deterministic(params.seed, "holdout")
        cut = params.train.unfreeze_from
        network = initial_network(params.model, args.weights_file, classes, cut)
        key = run_key(params, (args.images, args.split, args.weights_file))
        checkpoints = args.checkpoints / f"holdout-{key}"
        labels = torch.tensor(split["label"].map(classes.index).to_numpy())
        scored = refit_logits(
            network,
            images,
            labels,
            [one.refit for one in plan],
            params.train,
            params.seed,
            checkpoints=checkpoints,
        )
        for one, logits in zip(plan, scored, strict=True):
            table = predictions(split.iloc[one.refit.score], logits, classes)
            tables.append(table.assign(left_out=one.name, own=one.own))
        shutil.rmtree(checkpoints)
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
        print(f"holdout: left out: {reason}", file=sys.stderr)
        metrics["not_measured"] = reason
        save_picture(args.figure, sentence_picture(f"Not measured: {reason}."))
    write_table(args.predictions, pd.concat(tables, ignore_index=True))
    write_metrics(args.metrics, metrics)


if __name__ == "__main__":
    run_stage(main, "holdout")
