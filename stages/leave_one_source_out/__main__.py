"""Train without one source at a time and score the excluded source."""

from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from stages.leave_one_source_out.judging import delivering, judged
from stages.leave_one_source_out.params import Params
from stages.leave_one_source_out.sources import leave_out, names
from stages.leave_one_source_out.summary import (
    figures,
    headlines,
    macro_recall,
    rates,
)
from twincam.confidence.scores import scores_of
from twincam.deliveries import DELIVERIES
from twincam.files.command_line import parse_flags
from twincam.files.errors import run_stage
from twincam.files.messages import skipped
from twincam.files.metrics import write_metrics
from twincam.files.params_file import read_params
from twincam.files.tables import class_names, read_logits, read_split, write_table
from twincam.training.originals import originals_of
from twincam.training.refits import RunFiles, refitted


def main(argv: list[str]) -> None:
    """Run the stage."""
    args = parse_flags(
        argv,
        __doc__,
        *("params", "root", "images", "split", "out-of-fold", "weights-file", "checkpoints"),
        *("predictions", "metrics", "details"),
        integers=("max-pixels",),
    )
    params = read_params(args.params, Params)
    settings = params.leave_one_source_out
    split = read_split(args.split)
    classes = class_names(split)
    scored = scores_of(read_logits(args.out_of_fold), classes)
    found = {name: leave_out(split, settings.by, name) for name in names(split, settings.by)}
    possible = [one for one in found.values() if one]
    plan = possible[: settings.max_sources]
    details: dict[str, Any] = {
        "by": settings.by,
        "skipped_sources": {
            name: "a class would have no training images left"
            for name, one in found.items()
            if one is None
        },
        "sources_named": len(found),
    }
    if plan:
        tables = []
        originals = originals_of(split, args.root, params.prepare, args.max_pixels, params.run)
        with refitted(
            "leave_one_source_out",
            params,
            split,
            [one.refit for one in plan],
            partial(delivering, originals),
            RunFiles(args.images, args.split, args.weights_file, args.checkpoints),
        ) as results:
            for one, result in zip(plan, results, strict=True):
                trained = scored["id"].isin(split["id"].iloc[one.refit.train])
                images, own_scores = split.iloc[one.refit.held_out], scored[trained]
                table = judged(images, result["delivered"], own_scores, params.evaluate, classes)
                tables.append(table.assign(left_out=one.name, own=one.own))
        table = pd.concat(tables, ignore_index=True)
        own = table[table["own"]]
        details["sources"] = {str(name): figures(rows) for name, rows in table.groupby("left_out")}
        details["macro"] = macro_recall(own)
        details |= rates(own, params.real_class)
    else:
        nothing = np.zeros((0, len(DELIVERIES), len(classes)))
        table = judged(split.head(0), nothing, scored, params.evaluate, classes)
        table = table.assign(left_out="", own=False)
        details |= skipped(
            "leave_one_source_out",
            "leave_one_source_out.max_sources is 0"
            if not settings.max_sources
            else f"no {settings.by} is named that can be excluded without emptying a class",
        )
    write_table(args.predictions, table)
    write_metrics(args.details, details)
    write_metrics(args.metrics, headlines(details))


if __name__ == "__main__":
    run_stage(main, "leave_one_source_out")
