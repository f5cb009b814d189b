"""Retrain the classifier on subsets of the images, and evaluate it on the images held out.

What is frozen runs once for all subsets: every refit samples its views from the same activations.
"""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from zipfile import BadZipFile

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from twincam.determinism import derived_seed, make_torch_deterministic
from twincam.files.atomic import atomic_path
from twincam.files.errors import UserError
from twincam.files.messages import warn
from twincam.files.tables import class_names
from twincam.models.forward import logits_of
from twincam.models.network import Network
from twincam.models.runtimes import compiled
from twincam.models.weights import initial_network
from twincam.training.activations import Inputs, augmented_inputs
from twincam.training.checkpoints import run_key
from twincam.training.fitting import LabelledInputs, Recipe, divergence_warning, fit
from twincam.training.params import ClassifierParams
from twincam.training.probing import fit_probe, pooled_views


class Refit(NamedTuple):
    """Rows of the images to train on, and of those to evaluate; no group is in both."""

    train: np.ndarray
    held_out: np.ndarray


class LabelledImages(NamedTuple):
    """Images, bytes ``[N,H,W,3]``, their class indices, int64 ``[N]``, and groups ``[N]``.

    Images of a group are copies or belong together.
    """

    images: np.ndarray
    labels: Tensor
    groups: np.ndarray


class RunFiles(NamedTuple):
    """The files that a stage trains from, and the folder for its checkpoints.

    Refits are reused only with the same ``inputs`` (of images and split) and the same weights.
    """

    inputs: Sequence[Path]
    weights_file: Path
    checkpoints: Path


Results = Mapping[str, np.ndarray]
"""Arrays by name, as saved by `numpy.savez`."""

Evaluate = Callable[[Network, Refit], Results]
"""Computes results with a refit's network, in evaluation mode."""


def held_out_logits(images: np.ndarray) -> Evaluate:
    """Return the evaluation that keeps ``logits`` ``[S,K]`` of the held-out ``images``."""
    return lambda network, part: {"logits": logits_of(network, images[part.held_out])}


@contextmanager
def refitted(
    stage: str,
    params: ClassifierParams,
    dataset: tuple[pd.DataFrame, np.ndarray],
    plan: Sequence[Refit],
    evaluate: Evaluate,
    files: RunFiles,
) -> Iterator[list[Results]]:
    """Provide the results of ``evaluate`` for each refit of ``plan``.

    Finished refits are kept until the ``with`` block ends without an error: an interrupted run
    resumes from them.

    Args:
        stage: the stage that the refits belong to.
        params: the settings of the classifier.
        dataset: ``data/split.csv``, and the images of its rows, bytes ``[N,H,W,3]``.
        plan: the images to train on and to evaluate.
        evaluate: called once for each refit.
        files: the input files and the folder for checkpoints.
    """
    split, images = dataset
    make_torch_deterministic(params.seed, stage, threads=params.run.threads)
    classes = class_names(split)
    network = initial_network(params.model, files.weights_file, classes)
    if params.train.method == "linear_probe":
        network = compiled(network, params.run)
    key = run_key(params, (*files.inputs, files.weights_file))
    folder = files.checkpoints / f"{stage}-{key}"
    labels = torch.tensor(split["label"].map(classes.index).to_numpy())
    recipe = Recipe(params.train, params.seed)
    data = LabelledImages(images, labels, split["group"].to_numpy())
    results = refit(network, data, plan, evaluate, recipe, folder)
    yield list(results)
    shutil.rmtree(folder)


def refit(
    network: Network,
    data: LabelledImages,
    plan: Sequence[Refit],
    evaluate: Evaluate,
    recipe: Recipe,
    checkpoints: Path,
) -> Iterator[Results]:
    """Yield the results of ``evaluate`` for each refit of ``plan``.

    Each refit starts from the weights of ``network`` with a new head. Fine-tuning keeps the last
    epoch: none is selected.

    Args:
        network: before training; changed in place.
        data: all images with their labels.
        plan: the images to train on and to evaluate.
        evaluate: called once for each refit.
        recipe: the settings of the classifier, and the seed of heads, order and augmentations.
        checkpoints: folder for the results of each finished refit; a refit found there is not
            repeated.
    """
    rows = np.unique(np.concatenate([part.train for part in plan]))
    learning = _probing if recipe.training.method == "linear_probe" else _fine_tuning
    with learning(network, data, rows, recipe) as learn:
        for number, part in enumerate(plan):
            file = checkpoints / f"{number}.npz"
            if not file.is_file():
                learn(part.train, number)
                with atomic_path(file) as partial, partial.open("wb") as opened:
                    np.savez(opened, allow_pickle=False, **evaluate(network, part))
            yield _read_results(file)


Learn = Callable[[np.ndarray, int], None]
"""Trains the network on some rows for the refit of a number, from 0; leaves it in evaluation
mode."""


@contextmanager
def _fine_tuning(
    network: Network, data: LabelledImages, rows: np.ndarray, recipe: Recipe
) -> Iterator[Learn]:
    start = {name: tensor.clone() for name, tensor in network.module.state_dict().items()}
    training, seed = recipe
    cut = training.unfreeze_from
    with augmented_inputs(network, data.images, rows, cut, training, seed) as inputs:

        def learn(train: np.ndarray, number: int) -> None:
            own = recipe._replace(seed=derived_seed(seed, "refit", number))
            network.module.load_state_dict(start)
            torch.manual_seed(own.seed)
            network.head.reset_parameters()
            chosen = _chosen(inputs, np.searchsorted(rows, train))
            history, last = fit(network, LabelledInputs(chosen, data.labels[train]), None, own)
            if message := divergence_warning(history, last, len(network.classes), training):
                warn(f"refit {number + 1}", message)
            network.module.eval()

        yield learn


@contextmanager
def _probing(
    network: Network, data: LabelledImages, rows: np.ndarray, recipe: Recipe
) -> Iterator[Learn]:
    network.module.eval()
    features = pooled_views(network, data.images, rows, *recipe)

    def learn(train: np.ndarray, _number: int) -> None:
        chosen = features[:, np.searchsorted(rows, train)]
        fit_probe(network, chosen, data.labels[train].numpy(), data.groups[train])

    yield learn


def _read_results(path: Path) -> Results:
    try:
        with np.load(path, allow_pickle=False) as found:
            return dict(found)
    except (ValueError, EOFError, BadZipFile):
        raise UserError(
            f"{path}: expected the results of a refit, got a damaged file of an "
            "interrupted run; remove it and run again"
        ) from None


def _chosen(inputs: Inputs, positions: np.ndarray) -> Inputs:
    """Return ``inputs`` of the images at ``positions`` alone."""
    return lambda epoch, indices: inputs(epoch, positions[indices])
