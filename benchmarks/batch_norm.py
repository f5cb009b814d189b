"""Is training with frozen batch norm, folded into the convolutions, as good as with batches' own?

Used as ``python -m benchmarks.batch_norm path/to/data``, a folder with `cats-ddpm`. On these
photographs and on rendered scenes, both ways train on one half of the images and are scored on the
other, in turn, with new halves for each seed: 5 repeats of 2 folds (Dietterich: Approximate
Statistical Tests for Comparing Supervised Classification Learning Algorithms, Neural Computation
1998). With frozen batch norm the learning rate is another, chosen on scenes 33.
"""

import argparse
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

from benchmarks.peers.timing import in_turn, print_times
from benchmarks.runs import clone, experiment
from stages.crossval.folds import divide, refits
from stages.crossval.params import Crossval
from stages.train.params import Params
from twincam.determinism import derived_seed, make_torch_deterministic
from twincam.files.params_file import read_params
from twincam.files.shards import read_shards
from twincam.files.tables import class_names, read_split
from twincam.models.forward import logits_of
from twincam.models.network import Network
from twincam.models.weights import initial_network
from twincam.statistics.intervals import compare_paired
from twincam.statistics.ranking import auc
from twincam.training.activations import Inputs, augmented_inputs, select
from twincam.training.fitting import LabelledInputs, Recipe, fit
from twincam.training.params import Training

WAYS = ("train", "frozen")
"""The values of ``train.batch_norm``."""
PARTS = ("accuracy", "steps")
TIMED, ROUNDS = 64, 15
NOWHERE = Path("data/none")


class ImageSet(NamedTuple):
    """Prepared images, bytes ``[N,S,S,3]``, their split and what trains on them."""

    images: np.ndarray
    split: pd.DataFrame
    params: Params


def prepared(folder: Path, changes: Mapping[str, object]) -> ImageSet:
    """Prepare images in the clone ``folder`` with ``changes`` to the parameters."""
    experiment(folder, changes, "prepare")
    params = read_params(folder / "params.yaml", Params)
    images = read_shards(folder / "data" / "prepared" / "images")[:]
    return ImageSet(images, read_split(folder / "data" / "split.csv"), params)


def network_and_inputs(found: ImageSet, rows: np.ndarray) -> tuple[Network, Inputs]:
    """Return the network before training, and the input of its first trained block."""
    params = found.params
    make_torch_deterministic(params.seed, "batch norm", threads=1)
    network = initial_network(params.model, NOWHERE, class_names(found.split))
    cut = params.train.unfreeze_from
    return network, augmented_inputs(network, found.images, rows, cut, params.train, params.seed)


def out_of_fold(
    found: ImageSet, inputs: Inputs, seed: int, rates: Mapping[str, float]
) -> dict[str, np.ndarray]:
    """Return by way the logits ``[N,K]`` of each image by a network trained on the other half.

    Args:
        found: the N images.
        inputs: of the first trained block, shared by all fits.
        seed: of halves, heads, order and dropout.
        rates: the learning rate of each way.
    """
    classes = class_names(found.split)
    labels = torch.tensor(found.split["label"].map(classes.index).to_numpy())
    logits = {way: np.zeros((len(labels), len(classes)), np.float32) for way in WAYS}
    for number, part in enumerate(refits(divide(found.split, Crossval(folds=2, repeats=1), seed))):
        train = LabelledInputs(select(inputs, part.train), labels[part.train])
        for way, own in logits.items():
            network = initial_network(found.params.model, NOWHERE, classes)
            training = settings(found.params, way, learning_rate=rates[way])
            recipe = Recipe(training, derived_seed(seed, "batch norm", number))
            torch.manual_seed(recipe.seed)
            network.head.reset_parameters()
            fit(network, train, None, recipe)
            network.module.eval()
            own[part.held_out] = logits_of(network, found.images[part.held_out])
    return logits


def settings(params: Params, way: str, **changes: object) -> Training:
    """Return the settings of training with one of `WAYS`, and other changes."""
    return params.train.model_copy(update={"batch_norm": way, **changes})


def print_accuracy(
    name: str, split: pd.DataFrame, runs: Sequence[Mapping[str, np.ndarray]]
) -> None:
    """Print the row of a set; the interval is a bootstrap of groups, with all rows of each.

    Args:
        name: of the set.
        split: its images, of two classes.
        runs: by seed, what `out_of_fold` returns.
    """
    classes = class_names(split)
    truth = split["label"].map(classes.index).to_numpy()
    right = {way: np.array([run[way].argmax(axis=1) == truth for run in runs]) for way in WAYS}
    aucs = {way: np.mean([auc(truth == 1, run[way] @ [-1, 1]) for run in runs]) for way in WAYS}
    groups = np.tile(split["group"], len(runs))
    first, second = (right[way].ravel() for way in WAYS)
    pair = compare_paired(first, second, groups, 0, "batch norm", name)
    by_seed = right["frozen"].mean(axis=1) - right["train"].mean(axis=1)
    cells = [
        name,
        str(len(split)),
        f"{pair.first:.3f}",
        f"{pair.second:.3f}",
        f"{pair.difference:+.3f} ({pair.low:+.3f} to {pair.high:+.3f})",
        ", ".join(f"{one:+.3f}" for one in by_seed),
        *(f"{aucs[way]:.4f}" for way in WAYS),
    ]
    print(f"| {' | '.join(cells)} |", flush=True)


def print_steps(found: ImageSet) -> None:
    """Print the time of an epoch of a few images with each way, one thread."""
    rows = np.arange(TIMED)
    network, inputs = network_and_inputs(found, rows)
    kept = inputs(0, rows)
    data = LabelledInputs(lambda _epoch, indices: kept[indices], torch.tensor(rows % 2))

    def epoch(way: str) -> None:
        fit(network, data, None, Recipe(settings(found.params, way, epochs=1), 0))

    times = in_turn({way: partial(epoch, way) for way in WAYS}, ROUNDS)
    print_times("training, one thread", times, "train", TIMED, "an image")


def main() -> None:
    """Print Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--scenes", type=int, nargs="+", default=[31, 32])
    parser.add_argument("--learning-rate", type=float, default=1e-4, help="with frozen batch norm")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    args = parser.parse_args()
    photographs = {"data.root": "data/cats-ddpm", "data.info": "data/none"}
    sets = {f"scenes {scene}": {"synthesize.seed": scene} for scene in args.scenes}
    with clone(args.data / "cats-ddpm") as folder:
        found = {
            name: prepared(folder, changes)
            for name, changes in {"cats-ddpm": photographs, **sets}.items()
        }
    if "accuracy" in args.parts:
        print("| set | n | train | frozen | difference (95 %) | by seed | AUC train | frozen |")
        print(f"|{'---|' * 8}", flush=True)
        for name, one in found.items():
            _, inputs = network_and_inputs(one, np.arange(len(one.split)))
            rates = {"train": one.params.train.learning_rate, "frozen": args.learning_rate}
            runs = [out_of_fold(one, inputs, seed, rates) for seed in args.seeds]
            print_accuracy(name, one.split, runs)
    if "steps" in args.parts:
        print_steps(found["cats-ddpm"])


if __name__ == "__main__":
    main()
