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
from twincam.training.activations import Inputs, augmented_inputs
from twincam.training.checkpoints import run_key
from twincam.training.fitting import (
    LabelledImages,
    LabelledInputs,
    Recipe,
    divergence_warning,
    fit,
)
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
    job = _Job(stage, params, split, plan, evaluation, files, folder)
    left = [number for number in range(len(plan)) if not _results_file(folder, number).is_file()]
    for _ in map_in_order(partial(_one_refit, job), left, params.run, stage):
        pass
    yield [_read_results(_results_file(folder, number)) for number in range(len(plan))]
    shutil.rmtree(folder)


@dataclass(frozen=True, eq=False)
class _Job:
    """What a process needs to refit anything of the plan; equal to itself alone, to be a key."""

    stage: str
    params: ClassifierParams
    split: pd.DataFrame
    plan: Sequence[Refit]
    evaluation: Evaluation
    files: RunFiles
    folder: Path


def _one_refit(job: _Job, number: int) -> None:
    _prepared(job)(number)


@lru_cache(maxsize=1)
def _prepared(job: _Job) -> Callable[[int], Results]:
    """Return `refitting` of the job, once in each process."""
    params, split = job.params, job.split
    make_torch_deterministic(params.seed, job.stage, threads=params.run.threads)
    classes = class_names(split)
    network = initial_network(params.model, job.files.weights_file, classes)
    if params.train.method == "linear_probe":
        network = compiled(network, params.run)
    labels = torch.tensor(split["label"].map(classes.index).to_numpy())
    data = LabelledImages(read_shards(job.files.images), labels, split["group"].to_numpy())
    evaluate, recipe = job.evaluation(data.images), Recipe(params.train, params.seed)
    return refitting(network, data, job.plan, evaluate, recipe, job.folder)


def refitting(
    network: Network,
    data: LabelledImages,
    plan: Sequence[Refit],
    evaluate: Evaluate,
    recipe: Recipe,
    checkpoints: Path,
) -> Callable[[int], Results]:
    """Return a function that gives the results of ``evaluate`` for a refit of ``plan``, from 0.

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
    learn = learning(network, data, rows, recipe)

    def results(number: int) -> Results:
        file, part = _results_file(checkpoints, number), plan[number]
        if not file.is_file():
            learn(part.train, number)
            with atomic_path(file) as partly, partly.open("wb") as opened:
                np.savez(opened, allow_pickle=False, **evaluate(network, part))
        return _read_results(file)

    return results


Learn = Callable[[np.ndarray, int], None]
"""Trains the network on some rows for the refit of a number, from 0; leaves it in evaluation
mode."""


def _fine_tuning(network: Network, data: LabelledImages, rows: np.ndarray, recipe: Recipe) -> Learn:
    start = {name: tensor.clone() for name, tensor in network.module.state_dict().items()}
    training, seed = recipe
    inputs = augmented_inputs(network, data.images, rows, training.unfreeze_from, training, seed)

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

    return learn


def _probing(network: Network, data: LabelledImages, rows: np.ndarray, recipe: Recipe) -> Learn:
    network.module.eval()
    features = pooled_views(network, data.images, rows, *recipe)

    def learn(train: np.ndarray, _number: int) -> None:
        chosen = features[:, np.searchsorted(rows, train)]
        fit_probe(network, chosen, data.labels[train].numpy(), data.groups[train])

    return learn


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


def _chosen(inputs: Inputs, positions: np.ndarray) -> Inputs:
    """Return ``inputs`` of the images at ``positions`` alone."""
    return lambda epoch, indices: inputs(epoch, positions[indices])
