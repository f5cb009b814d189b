"""Train the classifier anew on parts of the images, and score the images that each part left out.

The frozen blocks run once for all parts: every refit draws its views from the same activations.
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
from twincam.models.weights import initial_network
from twincam.training.activations import Inputs, varied_inputs
from twincam.training.checkpoints import run_key
from twincam.training.fitting import fit, gone_astray
from twincam.training.params import Trained, Training


class Refit(NamedTuple):
    """Rows of the images to learn from, and rows to score; they share no group."""

    learn: np.ndarray
    score: np.ndarray


Measured = Mapping[str, np.ndarray]

Measure = Callable[[Network, Refit], Measured]
"""What is kept of a network that learned from one part."""


def logits_alone(images: np.ndarray) -> Measure:
    """Return the measure that keeps ``logits`` ``[S,K]`` of the images ``[N,H,W,3]`` to score."""
    return lambda network, part: {"logits": logits_of(network, images[part.score])}


@contextmanager
def refitted(
    stage: str,
    params: Trained,
    split: pd.DataFrame,
    images: np.ndarray,
    plan: Sequence[Refit],
    measure: Measure,
    *,
    inputs: Sequence[Path],
    weights_file: Path,
    checkpoints: Path,
) -> Iterator[list[Measured]]:
    """Give, for each of ``plan``, what ``measure`` finds in the network that learned from it.

    Finished refits are kept until the block ends well: a run that was interrupted before its
    results stood goes on from them.

    Args:
        stage: whose refits these are.
        params: the settings of the classifier.
        split: ``data/split.csv``; row i is row i of ``images``.
        images: bytes ``[N,H,W,3]``.
        plan: what to learn from and to score.
        measure: asked of each refit, in evaluation mode.
        inputs: the files that the images and ``split`` come from; refits of others are not reused.
        weights_file: of ``model.weights``.
        checkpoints: folder for the finished refits.
    """
    make_torch_deterministic(params.seed, stage, threads=params.run.threads)
    classes = class_names(split)
    network = initial_network(params.model, weights_file, classes)
    kept = checkpoints / f"{stage}-{run_key(params, (*inputs, weights_file))}"
    labels = torch.tensor(split["label"].map(classes.index).to_numpy())
    found = refit(
        network, images, labels, plan, measure, params.train, params.seed, checkpoints=kept
    )
    yield list(found)
    shutil.rmtree(kept)


def refit(
    network: Network,
    images: np.ndarray,
    labels: Tensor,
    plan: Sequence[Refit],
    measure: Measure,
    training: Training,
    seed: int,
    *,
    checkpoints: Path,
) -> Iterator[Measured]:
    """Yield, for each of ``plan``, what ``measure`` finds in the network that learned from it.

    Each refit starts from the weights that ``network`` comes with, under a head of its own, and
    ends with the last epoch: none is chosen.

    Args:
        network: before training; changed in place.
        images: bytes ``[N,H,W,3]``.
        labels: int64 ``[N]``.
        plan: what to learn from and to score.
        measure: asked of each refit, in evaluation mode.
        training: the settings of the classifier.
        seed: of heads, order and views.
        checkpoints: folder in which each finished refit is kept; found there, it is not repeated.
    """
    rows = np.unique(np.concatenate([part.learn for part in plan]))
    start = {name: tensor.clone() for name, tensor in network.module.state_dict().items()}
    with varied_inputs(network, images, rows, training.unfreeze_from, training, seed) as inputs:
        for number, part in enumerate(plan):
            kept = checkpoints / f"{number}.npz"
            if not kept.is_file():
                network.module.load_state_dict(start)
                own = derived_seed(seed, "refit", number)
                torch.manual_seed(own)
                network.head.reset_parameters()
                learn = _chosen(inputs, np.searchsorted(rows, part.learn))
                history, last = fit(network, (learn, labels[part.learn]), None, training, own)
                if astray := gone_astray(history, last, len(network.classes), training):
                    warn(f"refit {number + 1}", astray)
                network.module.eval()
                with atomic_path(kept) as partial, partial.open("wb") as file:
                    np.savez(file, allow_pickle=False, **measure(network, part))
            yield _read_refit(kept)


def _read_refit(path: Path) -> Measured:
    try:
        with np.load(path, allow_pickle=False) as found:
            return dict(found)
    except (ValueError, EOFError, BadZipFile):
        raise UserError(
            f"{path}: expected what an interrupted run kept of a refit, it is damaged; "
            "remove it and run again"
        ) from None


def _chosen(inputs: Inputs, positions: np.ndarray) -> Inputs:
    """Return ``inputs`` of the images at ``positions`` alone."""
    return lambda epoch, indices: inputs(epoch, positions[indices])
