"""Fit the classifier to the training split."""

import pandas as pd

from stages.train.divided import Files, fine_tune_divided
from stages.train.methods import add_offsets, described, fine_tune, probe, start
from stages.train.params import Params
from twincam.confidence.offsets import fit_offsets
from twincam.confidence.scores import scores_of
from twincam.files.command_line import parse_flags
from twincam.files.errors import run_stage
from twincam.files.metrics import write_metrics
from twincam.files.params import require_settings
from twincam.files.params_file import read_params
from twincam.files.tables import class_names, read_logits, read_split, write_table
from twincam.models.classifier import save_classifier
from twincam.training.checkpoints import run_key


def main(argv: list[str]) -> None:
    """Run the stage."""
    args = parse_flags(
        argv,
        __doc__,
        "params",
        "images",
        "preprocessing",
        "split",
        "out-of-fold",
        "weights-file",
        "checkpoints",
        "model",
        "history",
        "details",
    )
    params = read_params(args.params, Params)
    require_settings(args.preprocessing, params.prepare, "prepare")
    split = read_split(args.split)
    classes = class_names(split)
    network, data = start(params, split, args.images, args.weights_file)
    key = run_key(params, (args.images, args.split, args.weights_file))
    checkpoint = args.checkpoints / f"train-{key}.pt"
    if params.train.method == "linear_probe":
        history, about = probe(network, data, split["split"], params)
    else:
        if params.train.workers == 1:
            fitted = fine_tune(network, data, split["split"], params, checkpoint)
        else:
            files = Files(args.images, args.weights_file, checkpoint)
            fitted = fine_tune_divided(network, split, params, files)
        history, about = described(*fitted, split["split"], params.train, len(classes))
    offsets = fit_offsets(scores_of(read_logits(args.out_of_fold), classes), classes)
    add_offsets(network, offsets)
    save_classifier(args.model, network, params.prepare)
    write_table(args.history, pd.DataFrame(map(vars, history)))
    about["offsets"] = dict(zip(classes, offsets.tolist(), strict=True))
    write_metrics(args.details, {"arch": network.arch, "method": params.train.method, **about})
    checkpoint.unlink(missing_ok=True)


if __name__ == "__main__":
    run_stage(main, "train")
