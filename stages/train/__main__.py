"""Fit the classifier to the training split."""

import pandas as pd

from stages.train.methods import add_offsets, fine_tune, probe
from stages.train.params import Params
from twincam.confidence.offsets import fit_offsets
from twincam.confidence.scores import scores_of
from twincam.determinism import make_torch_deterministic
from twincam.files.command_line import parse_flags
from twincam.files.errors import run_stage
from twincam.files.metrics import write_metrics
from twincam.files.params import require_settings
from twincam.files.params_file import read_params
from twincam.files.shards import read_shards
from twincam.files.tables import class_names, read_logits, read_split, write_table
from twincam.models.classifier import save_classifier
from twincam.models.weights import initial_network
from twincam.training.checkpoints import run_key
from twincam.training.labelled import labelled_images


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
    split, images = read_split(args.split), read_shards(args.images)
    classes = class_names(split)
    make_torch_deterministic(params.seed, "train", threads=params.run.threads)
    network = initial_network(params.model, args.weights_file, classes)
    key = run_key(params, (args.images, args.split, args.weights_file))
    checkpoint = args.checkpoints / f"train-{key}.pt"
    data = labelled_images(images, split, classes)
    if params.train.method == "linear_probe":
        history, about = probe(network, data, split["split"], params)
    else:
        history, about = fine_tune(network, data, split["split"], params, checkpoint)
    offsets = fit_offsets(scores_of(read_logits(args.out_of_fold), classes), classes)
    add_offsets(network, offsets)
    save_classifier(args.model, network, params.prepare)
    write_table(args.history, pd.DataFrame(map(vars, history)))
    about["offsets"] = dict(zip(classes, offsets.tolist(), strict=True))
    write_metrics(args.details, {"arch": network.arch, "method": params.train.method, **about})
    checkpoint.unlink(missing_ok=True)


if __name__ == "__main__":
    run_stage(main, "train")
