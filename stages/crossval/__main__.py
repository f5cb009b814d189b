"""Score every training image by a model that did not train on it."""

from contextlib import ExitStack
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from stages.crossval.folds import divide, refits, too_few, without_a_class
from stages.crossval.params import Params
from stages.crossval.summary import (
    contradicted,
    gain_over,
    headlines,
    summarise,
)
from stages.crossval.twins import empty_table, fidelity_table, measuring
from twincam.confidence.offsets import with_offsets
from twincam.confidence.scores import scores_of, untouched
from twincam.files.command_line import parse_flags
from twincam.files.errors import run_stage
from twincam.files.messages import skipped
from twincam.files.metrics import write_metrics
from twincam.files.params_file import read_params
from twincam.files.tables import assign_logits, class_names, logit_columns, read_split, write_table
from twincam.training.originals import originals_of, table_of_deliveries
from twincam.training.refits import (
    Evaluation,
    Results,
    RunFiles,
    held_out_logits,
    refitted,
)


def main(argv: list[str]) -> None:
    """Run the stage."""
    args = parse_flags(
        argv,
        __doc__,
        "params",
        "root",
        "images",
        "split",
        "weights-file",
        "checkpoints",
        "out-of-fold",
        "twins",
        "metrics",
        "details",
        "contradicted",
        integers=("max-pixels",),
    )
    params = read_params(args.params, Params)
    split = read_split(args.split)
    classes = class_names(split)
    train = split[split["split"] == "train"]
    divided = None
    if not (reason := too_few(train, params.crossval)):
        divided = divide(train, params.crossval, params.seed)
        reason = without_a_class(divided)
    if divided is None or reason:
        columns = ["id", "repeat", "fold", "label", "delivery", *logit_columns(classes)]
        write_table(args.out_of_fold, pd.DataFrame(columns=columns))
        write_table(args.twins, empty_table())
        write_table(
            args.contradicted,
            pd.DataFrame(columns=["id", "path", "label", "predicted", "p_label"]),
        )
        details: dict[str, Any] = skipped("crossval", reason)
        write_metrics(args.details, details)
        write_metrics(args.metrics, headlines(details))
        return
    labels = split["label"].map(classes.index).to_numpy()
    files = RunFiles(args.images, args.split, args.weights_file, args.checkpoints)
    plan = list(refits(divided))
    with ExitStack() as finished:

        def refits_of(params: Params, evaluation: Evaluation) -> list[Results]:
            return finished.enter_context(
                refitted("crossval", params, split, plan, evaluation, files)
            )

        originals = originals_of(split, args.root, params.prepare, args.max_pixels, params.run)
        found = refits_of(params, partial(measuring, labels, originals))
        every = np.concatenate([one["delivered"] for one in found])
        images = divided.drop(columns="row")
        delivered = table_of_deliveries(images, every, classes)
        raw = scores_of(delivered, classes)
        scored, plain = (with_offsets(table, classes) for table in (raw, untouched(delivered)))
        details = summarise(scored, classes, params.seed)
        details |= gain_over(raw, "without_offsets", scored, classes, params.seed)
        details |= gain_over(plain, "as_is", scored, classes, params.seed)
        if params.train.method == "fine_tune":
            probed = refits_of(as_linear_probe(params), held_out_logits)
            logits = np.concatenate([one["logits"] for one in probed])
            control = with_offsets(assign_logits(images, logits, classes), classes)
            details |= gain_over(control, "linear_probe", plain, classes, params.seed)
        paths = train.set_index("id")["path"]
        write_table(args.out_of_fold, delivered)
        write_table(args.twins, fidelity_table(scored, found, classes))
        write_table(args.contradicted, contradicted(scored, paths, classes))
        write_metrics(args.details, details)
        write_metrics(args.metrics, headlines(details))


def as_linear_probe(params: Params) -> Params:
    """Return ``params`` with nothing fine-tuned."""
    return params.model_copy(
        update={"train": params.train.model_copy(update={"method": "linear_probe"})}
    )


if __name__ == "__main__":
    run_stage(main, "crossval")
