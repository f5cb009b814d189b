"""Train without each source in turn and score what was left out."""

from typing import Any

import numpy as np
import pandas as pd

from stages.leave_one_source_out.figures import recall_figure
from stages.leave_one_source_out.params import Params
from stages.leave_one_source_out.sources import leave_out, names
from stages.leave_one_source_out.summary import figures, macro_recall
from stages.params import read_params
from twincam.figures.drawing import save_figure, save_picture, sentence_picture
from twincam.files.arrays import read_array
from twincam.files.command_line import parse_flags
from twincam.files.errors import run_stage
from twincam.files.messages import warn
from twincam.files.metrics import write_metrics
from twincam.files.predictions import predictions
from twincam.files.tables import class_names, read_split, write_table
from twincam.training.refits import RunFiles, held_out_logits, refitted


def main(argv: list[str]) -> None:
    """Run the stage."""
    args = parse_flags(
        argv,
        __doc__,
        "params",
        "images",
        "split",
        "weights-file",
        "checkpoints",
        "predictions",
        "metrics",
        "figure",
    )
    params = read_params(args.params, Params)
    split, images = read_split(args.split), read_array(args.images)
    classes = class_names(split)
    wanted = names(split, params.leave_one_source_out)
    found = {name: leave_out(split, params.leave_one_source_out.by, name) for name in wanted}
    plan = [one for one in found.values() if one]
    empty = predictions(split.head(0), np.zeros((0, len(classes))), classes)
    tables = [empty.assign(left_out="", own=False)]
    metrics: dict[str, Any] = {
        "by": params.leave_one_source_out.by,
        "skipped_sources": {
            name: "a class would be left without training images"
            for name, one in found.items()
            if one is None
        },
    }
    if plan:
        with refitted(
            "leave_one_source_out",
            params,
            (split, images),
            [one.refit for one in plan],
            held_out_logits(images),
            RunFiles((args.images, args.split), args.weights_file, args.checkpoints),
        ) as scored:
            for one, found_in in zip(plan, scored, strict=True):
                table = predictions(split.iloc[one.refit.held_out], found_in["logits"], classes)
                tables.append(table.assign(left_out=one.name, own=one.own))
        table = pd.concat(tables[1:], ignore_index=True)
        metrics["sources"] = {
            str(name): figures(rows, classes) for name, rows in table.groupby("left_out")
        }
        metrics["macro"] = macro_recall(table[table["own"]])
        save_figure(args.figure, recall_figure(metrics["sources"]))
    else:
        reason = (
            "leave_one_source_out.max_sources is 0"
            if not params.leave_one_source_out.max_sources
            else f"no {params.leave_one_source_out.by} is named that the classes could spare"
        )
        warn("leave_one_source_out", f"skipped: {reason}")
        metrics["skipped"] = reason
        save_picture(args.figure, sentence_picture(f"Not measured: {reason}."))
    write_table(args.predictions, pd.concat(tables, ignore_index=True))
    write_metrics(args.metrics, metrics)


if __name__ == "__main__":
    run_stage(main, "leave_one_source_out")
