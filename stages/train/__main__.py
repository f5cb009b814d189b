"""Fine-tune the classifier on the training split."""

import numpy as np
import pandas as pd
import torch

from stages.train.params import Params
from twincam.determinism import make_torch_deterministic
from twincam.files.arrays import read_array
from twincam.files.command_line import parse_flags
from twincam.files.errors import run_stage
from twincam.files.messages import warn
from twincam.files.metrics import write_metrics
from twincam.files.params import require_settings
from twincam.files.params_file import read_params
from twincam.files.tables import class_names, read_split, write_table
from twincam.models.classifier import save_classifier
from twincam.models.weights import initial_network
from twincam.training.activations import augmented_inputs
from twincam.training.checkpoints import run_key
from twincam.training.fitting import LabelledInputs, Recipe, divergence_warning, fit


def main(argv: list[str]) -> None:
    """Run the stage."""
    args = parse_flags(
        argv,
        __doc__,
        "params",
        "images",
        "preprocessing",
        "split",
        "weights-file",
        "checkpoints",
        "model",
        "history",
        "details",
    )
    params = read_params(args.params, Params)
    require_settings(args.preprocessing, params.prepare, "prepare")
    split, images = read_split(args.split), read_array(args.images)
    classes = class_names(split)
    make_torch_deterministic(params.seed, "train", threads=params.run.threads)
    cut = params.train.unfreeze_from
    network = initial_network(params.model, args.weights_file, classes)
    key = run_key(params, (args.images, args.split, args.weights_file))
    checkpoint = args.checkpoints / f"train-{key}.pt"
    select_on_val = bool((split["split"] == "test").any())

    labels = torch.tensor(split["label"].map(classes.index).to_numpy())
    train, val = (np.flatnonzero(split["split"] == name) for name in ("train", "val"))
    plain = params.train.model_copy(update={"views": 1})
    with (
        augmented_inputs(network, images, train, cut, params.train, params.seed) as train_inputs,
        augmented_inputs(network, images, val, cut, plain, params.seed) as val_inputs,
    ):
        history, kept = fit(
            network,
            LabelledInputs(train_inputs, labels[train]),
            LabelledInputs(val_inputs, labels[val]),
            Recipe(params.train, params.seed),
            select_on_val=select_on_val,
            checkpoint=checkpoint,
        )
    if message := divergence_warning(history, kept, len(classes), params.train):
        warn("train", message)
    save_classifier(args.model, network, params.prepare)
    write_table(args.history, pd.DataFrame(map(vars, history)))
    last = vars(history[kept - 1])
    about = {"arch": network.arch, "epoch_chosen_on_val": select_on_val}
    write_metrics(args.details, {**last, **about})
    checkpoint.unlink()


if __name__ == "__main__":
    run_stage(main, "train")
