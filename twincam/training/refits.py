"""Retrain the classifier on subsets of the images, and evaluate it on the images held out.

What is frozen runs once for all subsets: every refit samples its views from the same activations.
On Ray, each refit is a task, and each worker that gets any runs the frozen blocks once for itself.
"""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import NamedTuple
from zipfile import BadZipFile

import numpy as np
import pandas as pd
import torch

from twincam.determinism import derived_seed, make_torch_deterministic
from twincam.engine.mapping import map_in_order
from twincam.files.atomic import atomic_path
from twincam.files.errors import UserError
from twincam.files.messages import warn
from twincam.files.shards import Rows, read_shards
from twincam.files.tables import class_names
from twincam.models.forward import logits_of
from twincam.models.network import Network
from twincam.models.runtimes import compiled
from twincam.models.weights import initial_network
from twincam.training.activations import augmented_inputs, select
from twincam.training.checkpoints import run_key
from twincam.training.fitting import Recipe, divergence_warning, fit
from twincam.training.labelled import LabelledImages, labelled_images, labelled_inputs
from twincam.training.params import ClassifierParams
from twincam.training.probing import fit_probe, pooled_views


class Refit(NamedTuple):
    """Rows of the images to train on, and of those to evaluate; no group is in both."""

    train: np.ndarray
    held_out: np.ndarray


class RunFiles(NamedTuple):
    """The files that a stage trains from, and the folder for its checkpoints.

    Refits are reused only with the same images, split and weights.
    """

    images: Path
    split: Path
    weights_file: Path
    checkpoints: Path


Results = Mapping[str, np.ndarray]
"""Arrays by name, as saved by `numpy.savez`."""

Evaluate = Callable[[Network, Refit], Results]
"""Computes results with a refit's network, in evaluation mode."""

Evaluation = Callable[[Rows], Evaluate]
"""Gives what to compute from all images, bytes ``[N,H,W,3]``."""


def held_out_logits(images: Rows) -> Evaluate:
    """Return the evaluation that keeps ``logits`` ``[S,K]`` of the held-out ``images``."""
    return lambda network, part: {"logits": logits_of(network, images[part.held_out])}


@contextmanager
def refitted(
    stage: str,
    params: ClassifierParams,
    split: pd.DataFrame,
    plan: Sequence[Refit],
    evaluation: Evaluation,
    files: RunFiles,
) -> Iterator[list[Results]]:
    """Provide the results of each refit of ``plan``.

    Finished refits are kept until the ``with`` block ends without an error: an interrupted run
    resumes from them.

    Args:
        stage: the stage that the refits belong to.
        params: the settings of the classifier.
        split: ``data/split.csv``.
        plan: the images to train on and to evaluate.
        evaluation: gives what to compute for each refit from all images, bytes ``[N,H,W,3]``.
        files: the input files and the folder for checkpoints.
    """
    key = run_key(params, (files.images, files.split, files.weights_file))
    folder = files.checkpoints / f"{stage}-{key}"
    context = _Context(stage, params, split, plan, evaluation, files, folder)
    left = [number for number in range(len(plan)) if not _results_file(folder, number).is_file()]
    for _ in map_in_order(partial(_refit, context), left, params.run, stage):
        pass
    _refit_function.cache_clear()
    yield [_read_results(_results_file(folder, number)) for number in range(len(plan))]
    shutil.rmtree(folder)


@dataclass(frozen=True, eq=False)
class _Context:
    """What a process needs for any refit of a plan; equal to itself alone, to be a key."""

    stage: str
    params: ClassifierParams
    split: pd.DataFrame
    plan: Sequence[Refit]
    evaluation: Evaluation
    files: RunFiles
    folder: Path


def _refit(context: _Context, number: int) -> None:
    _refit_function(context)(number)


@lru_cache(maxsize=1)
def _refit_function(context: _Context) -> Callable[[int], Results]:
    """Return `refit_function` of the context, made once in each process."""
    params, split = context.params, context.split
    make_torch_deterministic(params.seed, context.stage, threads=params.run.threads)
    classes = class_names(split)
    network = initial_network(params.model, context.files.weights_file, classes)
    frozen = params.train.method == "linear_probe"
    if frozen:
        network = compiled(network, params.run)
    data = labelled_images(read_shards(context.files.images), split, classes)
    evaluation, recipe = context.evaluation(data.images), Recipe(params.train, params.seed)

    def evaluate(network: Network, part: Refit) -> Results:
        return evaluation(network if frozen else compiled(network, params.run), part)

    return refit_function(network, data, context.plan, evaluate, recipe, context.folder)


def refit_function(
    network: Network,
    data: LabelledImages,
    plan: Sequence[Refit],
    evaluate: Evaluate,
    recipe: Recipe,
    checkpoints: Path,
) -> Callable[[int], Results]:
    """Return the function from the number of a refit of ``plan``, from 0, to its results.

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
    method = _linear_probe if recipe.training.method == "linear_probe" else _fine_tuning
    train = method(network, data, rows, recipe)

    def results(number: int) -> Results:
        file, part = _results_file(checkpoints, number), plan[number]
        if file.is_file():
            return _read_results(file)
        train(part.train, number)
        found = evaluate(network, part)
        with atomic_path(file) as partly, partly.open("wb") as opened:
            np.savez(opened, allow_pickle=False, **found)
        return found

    return results


Train = Callable[[np.ndarray, int], None]
"""Trains the network on some rows for the refit of a number, from 0; leaves it in evaluation
mode."""


def _fine_tuning(network: Network, data: LabelledImages, rows: np.ndarray, recipe: Recipe) -> Train:
    start = {name: tensor.clone() for name, tensor in network.module.state_dict().items()}
    training, seed = recipe
    inputs = augmented_inputs(network, data.images, rows, training.unfreeze_from, training, seed)

    def train(train_rows: np.ndarray, number: int) -> None:
        own = recipe._replace(seed=derived_seed(seed, "refit", number))
        network.module.load_state_dict(start)
        torch.manual_seed(own.seed)
        network.head.reset_parameters()
        selected = select(inputs, np.searchsorted(rows, train_rows))
        history, last = fit(network, labelled_inputs(selected, data, train_rows), None, own)
        if message := divergence_warning(history, last, len(network.classes), training):
            warn(f"refit {number + 1}", message)
        network.module.eval()

    return train


def _linear_probe(
    network: Network, data: LabelledImages, rows: np.ndarray, recipe: Recipe
) -> Train:
    network.module.eval()
    features = pooled_views(network, data.images, rows, *recipe)

    def train(train_rows: np.ndarray, _number: int) -> None:
        fit_probe(network, features, np.searchsorted(rows, train_rows), data, train_rows)

    return train


def _results_file(checkpoints: Path, number: int) -> Path:
    return checkpoints / f"{number}.npz"


def _read_results(path: Path) -> Results:
    try:
        with np.load(path, allow_pickle=False) as found:
            return dict(found)
    except (ValueError, EOFError, BadZipFile):
        raise UserError(
            f"{path}: expected the results of a refit, got a damaged file of an "
            "interrupted run; remove it and run again"
        ) from None
