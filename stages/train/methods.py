"""The ways to fit a classifier: fine-tuning, or a linear probe."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from stages.train.params import Params
from twincam.determinism import make_torch_deterministic
from twincam.files.messages import warn
from twincam.files.shards import read_shards
from twincam.files.tables import class_names
from twincam.models.network import Network
from twincam.models.runtimes import compiled
from twincam.models.weights import initial_network
from twincam.training.activations import augmented_inputs
from twincam.training.data_parallel import ALONE, Group
from twincam.training.fitting import (
    Epoch,
    Recipe,
    cross_entropy_and_accuracy,
    divergence_warning,
    fit,
)
from twincam.training.labelled import LabelledImages, labelled_images, labelled_inputs
from twincam.training.params import AugmentedViews, Training
from twincam.training.probing import fit_probe, pooled_views

Fitted = tuple[list[Epoch], dict[str, Any]]
"""The history, and what describes the classifier kept."""


def start(
    params: Params, split: pd.DataFrame, images: Path, weights_file: Path
) -> tuple[Network, LabelledImages]:
    """Seed torch; return the network before training, and all images.

    Args:
        params: of the stage.
        split: ``data/split.csv``.
        images: the folder of the prepared images.
        weights_file: as in ``params.model``.
    """
    make_torch_deterministic(params.seed, "train", threads=params.run.threads)
    classes = class_names(split)
    network = initial_network(params.model, weights_file, classes)
    return network, labelled_images(read_shards(images), split, classes)


def fine_tune(
    network: Network,
    data: LabelledImages,
    split: pd.Series,
    params: Params,
    checkpoint: Path,
    group: Group = ALONE,
) -> tuple[list[Epoch], int]:
    """Train the last blocks and the head of ``network``, in place.

    With a test split, the epoch of lowest validation loss is kept, else the last.

    Args:
        network: before training.
        data: all images.
        split: of each image, ``[N]``.
        params: of the stage.
        checkpoint: training resumes from it.
        group: of processes that train together; each is given the same.

    Returns:
        The history and the number of the epoch kept, from 1.
    """
    cut, seed = params.train.unfreeze_from, params.seed
    train, val = (
        labelled_inputs(augmented_inputs(network, data.images, rows, cut, views, seed), data, rows)
        for rows, views in _rows_and_views(split, params.train)
    )
    return fit(
        network,
        train,
        val,
        Recipe(params.train, seed),
        select_on_val=_selects_on_val(split),
        checkpoint=checkpoint,
        group=group,
    )


def described(
    history: list[Epoch], kept: int, split: pd.Series, training: Training, classes: int
) -> Fitted:
    """Return what `fine_tune` returned as a method does; warn if training diverged."""
    if message := divergence_warning(history, kept, classes, training):
        warn("train", message)
    about = {**vars(history[kept - 1]), "epoch_chosen_on_val": _selects_on_val(split)}
    return history, about


def _selects_on_val(split: pd.Series) -> bool:
    return bool((split == "test").any())


def probe(network: Network, data: LabelledImages, split: pd.Series, params: Params) -> Fitted:
    """Fit the head of ``network``, in place, and nothing else.

    The history is one epoch with a learning rate of 0.

    Args:
        network: with its initial weights.
        data: all images.
        split: of each image, ``[N]``.
        params: of the stage.
    """
    network.module.eval()
    looking = compiled(network, params.run)
    parts = _rows_and_views(split, params.train)
    features = [
        pooled_views(looking, data.images, rows, views, params.seed) for rows, views in parts
    ]
    train, _ = parts[0]
    fit_probe(network, features[0], np.arange(len(train)), data, train)
    scores: list[float] = []
    for found, (rows, _) in zip(features, parts, strict=True):
        with torch.no_grad():
            logits = network.head(torch.from_numpy(found[0]).to(network.head.weight.device))
        scores += cross_entropy_and_accuracy(logits.cpu(), data.labels[rows])
    epoch = Epoch(1, 0.0, *scores)
    return [epoch], {**vars(epoch), "epoch_chosen_on_val": False}


def add_offsets(network: Network, offsets: np.ndarray) -> None:
    """Add class offsets ``[K]`` to the bias of the head of ``network``, in place."""
    with torch.no_grad():
        network.head.bias.add_(torch.from_numpy(offsets).to(network.head.bias))


def _rows_and_views(
    split: pd.Series, training: Training
) -> list[tuple[np.ndarray, AugmentedViews]]:
    """Return the rows of training and validation images, the latter with one plain view."""
    plain = training.model_copy(update={"views": 1})
    views = {"train": training, "val": plain}
    return [(np.flatnonzero(split == name), own) for name, own in views.items()]
