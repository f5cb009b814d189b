"""Training to the same loss: on kept activations, and by loops that run every block."""

import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.peers.networks import network_of
from twincam.determinism import generator, make_torch_deterministic
from twincam.models.network import Network, maps_of, pool
from twincam.training.activations import Inputs, augmented_inputs
from twincam.training.fitting import Recipe, fit
from twincam.training.labelled import LabelledInputs
from twincam.training.params import ClassifierParams, Training

LOSS, MOST_EPOCHS = 0.25, 30
"""The mean training loss of an epoch to go below, with label smoothing, and the most epochs."""
SEEDS = (0, 1, 2)

Reached = tuple[float, int]
"""Seconds and epochs until `LOSS` was reached."""


def print_training(images: np.ndarray, labels: Tensor, params: ClassifierParams) -> None:
    """Print the time that each way takes for the same images, batches and settings.

    Args:
        images: bytes ``[N,S,S,3]``.
        labels: int64 ``[N]``.
        params: of the classifier; the learning rate stays constant here, and so does the network.
    """
    settings = {"schedule": "constant", "epochs": MOST_EPOCHS}
    training = params.train.model_copy(update=settings)
    cut = training.unfreeze_from
    ways: dict[str, Callable[[Network, int], Reached]] = {
        f"TwinCAM, blocks from {cut} on, kept activations": lambda network, seed: kept(
            network, images, labels, Recipe(training, seed)
        ),
        f"plain loop, blocks from {cut} on": lambda network, seed: plain(
            network, images, labels, Recipe(training, seed)
        ),
        "plain loop, all blocks": lambda network, seed: plain(
            network, images, labels, Recipe(training.model_copy(update={"unfreeze_from": 0}), seed)
        ),
    }
    print(f"\n| {len(images)} images until the loss is below {LOSS} | seconds | epochs |")
    print("|---|---|---|")
    for name, way in ways.items():
        found = []
        for seed in SEEDS:
            make_torch_deterministic(seed, "peers", threads=params.run.threads)
            found.append(way(network_of("efficientnet_lite0"), seed))
        taken, epochs = zip(*found, strict=True)
        cells = [", ".join(f"{one:.1f}" for one in taken), ", ".join(map(str, epochs))]
        print(f"| {name} | {cells[0]} | {cells[1]} |", flush=True)


def kept(network: Network, images: np.ndarray, labels: Tensor, recipe: Recipe) -> Reached:
    """Train with our `fit`; the time includes the pass through the frozen blocks."""
    starts: dict[int, float] = {}
    rows, cut = np.arange(len(images)), recipe.training.unfreeze_from
    begun = time.perf_counter()
    inputs = augmented_inputs(network, images, rows, cut, recipe.training, recipe.seed)
    train = LabelledInputs(_noting(inputs, starts), labels, np.ones(len(labels)))
    history, _ = fit(network, train, None, recipe)
    starts[MOST_EPOCHS + 1] = time.perf_counter()
    for row in history:
        if row.train_loss < LOSS:
            return starts[row.epoch + 1] - begun, row.epoch
    return np.inf, MOST_EPOCHS


def _noting(inputs: Inputs, starts: dict[int, float]) -> Inputs:
    """Return ``inputs`` that also note when each epoch begins."""

    def noted(epoch: int, indices: np.ndarray) -> Tensor:
        starts.setdefault(epoch, time.perf_counter())
        return inputs(epoch, indices)

    return noted


def plain(network: Network, images: np.ndarray, labels: Tensor, recipe: Recipe) -> Reached:
    """Train with the usual loop: freeze the first blocks, and run all of them in each step."""
    training, seed = recipe
    network.blocks[: training.unfreeze_from].requires_grad_(False)
    optimizer = torch.optim.AdamW(
        [weight for weight in network.module.parameters() if weight.requires_grad],
        lr=training.learning_rate,
        weight_decay=training.weight_decay,
    )
    begun = time.perf_counter()
    inputs = augmented_inputs(network, images, np.arange(len(images)), 0, training, seed)
    for epoch in range(1, MOST_EPOCHS + 1):
        if _plain_epoch(network, optimizer, inputs, labels, training, epoch) < LOSS:
            return time.perf_counter() - begun, epoch
    return np.inf, MOST_EPOCHS


def _plain_epoch(
    network: Network,
    optimizer: torch.optim.Optimizer,
    inputs: Inputs,
    labels: Tensor,
    training: Training,
    epoch: int,
) -> float:
    """Return the mean loss of an epoch."""
    network.module.train()
    order = generator(epoch, "peers").permutation(len(labels))
    losses = 0.0
    for indices in np.split(order, range(training.batch_size, len(order), training.batch_size)):
        pixels = inputs(epoch, indices)
        network.module.train()
        logits = network.head(pool(maps_of(network)(pixels)))
        loss = nn.functional.cross_entropy(
            logits, labels[indices], label_smoothing=training.label_smoothing
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses += loss.item() * len(indices)
    return losses / len(order)
