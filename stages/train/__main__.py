"""Fine-tune the classifier on the training split."""

import argparse
from pathlib import Path

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
from stages.common.classifier import save_classifier
from stages.common.determinism import make_torch_deterministic
from stages.common.errors import run_stage
from stages.common.fitting import fit, gone_astray, varied_inputs
from stages.common.messages import warn
from stages.common.params import read_params, require_settings
from stages.common.setup import initial_network, run_key
from stages.train.params import Params


def parser() -> argparse.ArgumentParser:
    """Return the command line of this stage."""
    arguments = argparse.ArgumentParser(prog="stages.train", description=__doc__)
    for flag in ("params", "images", "preprocessing", "split", "weights-file", "checkpoints"):
        arguments.add_argument(f"--{flag}", type=Path, required=True)
    for flag in ("model", "history", "metrics"):
        arguments.add_argument(f"--{flag}", type=Path, required=True)
    return arguments


def main(argv: list[str]) -> None:
    """Run the stage."""
    args = parser().parse_args(argv)
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
        varied_inputs(network, images, train, cut, params.train, params.seed) as train_inputs,
        varied_inputs(network, images, val, cut, plain, params.seed) as val_inputs,
    ):
        history, kept = fit(
            network,
            (train_inputs, labels[train]),
            (val_inputs, labels[val]),
            params.train,
            params.seed,
            select_on_val=select_on_val,
            checkpoint=checkpoint,
        )
    if astray := gone_astray(history, kept, len(classes), params.train):
        warn("train", astray)
    save_classifier(args.model, network, params.prepare.model_dump())
    write_table(args.history, pd.DataFrame(map(vars, history)))
    last = vars(history[kept - 1])
    about = {"arch": network.arch, "epoch_chosen_on_val": select_on_val}
    write_metrics(args.metrics, {**last, **about})
    checkpoint.unlink()


if __name__ == "__main__":
    run_stage(main, "train")
