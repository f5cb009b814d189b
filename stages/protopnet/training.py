"""Initialise, warm up, train jointly, project, then train tied to the patches."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from tqdm import tqdm

from stages.protopnet.examples import Examples
from stages.protopnet.losses import TERMS, prototype_loss
from stages.protopnet.params import ProtoPNet
from stages.protopnet.placement import initial_net
from stages.protopnet.projection import features_at, project
from twincam.determinism import derived_seed, generator
from twincam.explanations.prototypes.best_cells import Matches
from twincam.explanations.prototypes.matches import best_matches, best_similarities
from twincam.explanations.prototypes.network import PrototypeNet
from twincam.files.errors import UserError
from twincam.files.messages import warn
from twincam.models.network import Network
from twincam.models.weights import not_finite
from twincam.training.activations import Inputs, augmented_inputs


@dataclass(frozen=True)
class Phase:
    """One part of the training.

    With ``tunes_block`` the last block of the trunk is trained, too. With ``tied_to`` ``[P,C]``,
    the trunk's output at the patches that prototypes were projected onto, each prototype stays its
    patch while the add-on is trained: this recovers the loss from projection without leaving the
    patches.
    """

    name: str
    epochs: int
    rate: float
    tunes_block: bool = False
    tied_to: Tensor | None = None

    def vectors(self, net: PrototypeNet) -> Tensor:
        """Return the prototypes ``[P,D]`` of ``net`` as they are in this phase."""
        if self.tied_to is None:
            return net.vectors
        return net.patches(self.tied_to[:, :, None, None])[:, :, 0, 0]


RATES = {"warm-up": "learning_rate", "joint": "joint_learning_rate", "tied": "joint_learning_rate"}
"""The parameter of block ``protopnet`` for the learning rate of each phase."""

HISTORY = ("phase", "epoch", "learning_rate", *TERMS, "total", "accuracy")
"""Columns of the history: the mean of each weighted term of the loss, their sum, the share of the
varied training images classified correctly, by epoch."""


class Trained(NamedTuple):
    """A trained network and the results of its steps.

    ``patches`` are row, cell row and cell column ``[P,3]`` of each prototype's patch; ``train`` and
    ``evaluated`` the matches of the training and the evaluated images; ``before`` and ``after`` the
    logits ``[V,K]`` of the evaluated images before projection, and after it and the tied epochs;
    ``history`` one row per epoch, with the columns `HISTORY`.
    """

    net: PrototypeNet
    patches: np.ndarray
    train: Matches
    evaluated: Matches
    before: np.ndarray
    after: np.ndarray
    history: pd.DataFrame


def fit_prototypes(network: Network, examples: Examples, settings: ProtoPNet, seed: int) -> Trained:
    """Fit a prototype network; its last layer keeps equal weights.

    Args:
        network: the fine-tuned classifier; its block ``after_block``, if any, changes in place.
        examples: the images to train on; of each class at least as many as prototypes.
        settings: block ``protopnet``.
        seed: of k-means, order and views.
    """
    images, rows, evaluated = examples.images, examples.train, examples.evaluated
    net = initial_net(network, examples, settings, seed)
    slow = settings.joint_learning_rate
    trunk = replace(network, blocks=net.trunk)
    inputs = augmented_inputs(trunk, images, rows, net.first_tuned, settings, seed)
    history: list[dict[str, object]] = []

    def train(phase: Phase) -> None:
        if phase.epochs:
            history.extend(train_phase(net, inputs, examples.train_labels, settings, phase, seed))

    train(Phase("warm-up", settings.warmup_epochs, settings.learning_rate))
    train(Phase("joint", settings.joint_epochs, slow, tunes_block=True))
    before = logits(net, best_similarities(net, images, evaluated))
    patches = project(net, examples)
    tied_to = features_at(net, images, patches)
    train(Phase("tied", settings.tied_epochs, slow, tied_to=tied_to))
    matches = best_matches(net, images, rows), best_matches(net, images, evaluated)
    after = logits(net, matches[1].similarity)
    table = pd.DataFrame(history).assign(epoch=range(1, len(history) + 1)).reindex(columns=HISTORY)
    return Trained(net, patches, *matches, before, after, table)


def balanced_batches(
    labels: np.ndarray, size: int, rng: np.random.Generator
) -> Iterator[np.ndarray]:
    """Yield an epoch of index batches, each with equally many images of every class.

    Every image occurs at least once; those of smaller classes repeat until the largest is used up.
    """
    names, counts = np.unique(labels, return_counts=True)
    each = max(1, size // len(names))
    rounds = -(-int(counts.max()) // each)
    queues = []
    for name in names:
        own = np.flatnonzero(labels == name)
        repeats = -(-rounds * each // len(own))
        shuffled = np.concatenate([rng.permutation(own) for _ in range(repeats)])
        queues.append(shuffled[: rounds * each].reshape(rounds, each))
    yield from np.concatenate(queues, axis=1)


def train_phase(
    net: PrototypeNet,
    inputs: Inputs,
    labels: np.ndarray,
    settings: ProtoPNet,
    phase: Phase,
    seed: int,
) -> list[dict[str, object]]:
    """Train the add-on and, as ``phase`` says, the trunk's last block and the prototypes.

    ``inputs`` are those of the last block. Batch normalisation keeps the classifier's statistics. A
    loss that ends higher than it began, by half the loss of chance, is reported on standard error.
    Returns the row of each epoch, as `HISTORY` without its number.

    Raises:
        UserError: a loss or a weight became NaN or infinite.
    """
    block = net.trunk[net.first_tuned :]
    parameters = [*net.add_on.parameters()]
    if phase.tunes_block:
        parameters += block.parameters()
    if phase.tied_to is None:
        parameters.append(net.vectors)
    optimizer = torch.optim.AdamW(parameters, lr=phase.rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, phase.epochs)
    targets = torch.from_numpy(labels).to(net.device)

    def batch_losses(epoch: int, indices: np.ndarray) -> dict[str, Tensor]:
        vectors, wanted = phase.vectors(net), targets[indices]
        with torch.set_grad_enabled(phase.tunes_block):
            features = block(inputs(epoch, indices))
        similar = net.similarities(features, vectors)
        predicted = net.logits(similar.detach().amax(dim=(2, 3))).argmax(dim=1)
        losses = prototype_loss(net, vectors, similar, wanted, settings)
        return losses | {"accuracy": (predicted == wanted).float().mean()}

    rows: list[dict[str, object]] = []
    totals = []
    for epoch in tqdm(range(1, phase.epochs + 1), phase.name, disable=None):
        rate = optimizer.param_groups[0]["lr"]
        rng = generator(seed, phase.name, epoch)
        torch.manual_seed(derived_seed(seed, phase.name, epoch))
        found = []
        for indices in balanced_batches(labels, settings.batch_size, rng):
            losses = batch_losses(epoch, indices)
            found.append({name: loss.item() for name, loss in losses.items()})
            if not np.isfinite(total := found[-1]["total"]):
                raise _diverged(phase, epoch, f"the loss is {total}, expected a number")
            optimizer.zero_grad()
            losses["total"].backward()
            optimizer.step()
        schedule.step()
        means = {name: float(np.mean([one[name] for one in found])) for name in found[0]}
        rows.append({"phase": phase.name, "learning_rate": rate, **means})
        totals.append(means["total"])
        if name := not_finite(net.state_dict()):
            what = f"the weights ({name}) are not finite, expected numbers"
            raise _diverged(phase, epoch, what)
    if totals[-1] > totals[0] + np.log(len(net.bias)) / 2:
        rose = f"rose from {totals[0]:.3g} in epoch 1 to {totals[-1]:.3g}"
        warn("protopnet", f"the loss of {phase.name} {rose}; {_advice(phase)}")
    with torch.no_grad():
        net.vectors.copy_(phase.vectors(net))
    return rows


def _diverged(phase: Phase, epoch: int, what: str) -> UserError:
    where = f"epoch {epoch} of {phase.name}"
    return UserError(f"the prototype network diverged in {where}: {what}; {_advice(phase)}")


def _advice(phase: Phase) -> str:
    return f"lower protopnet.{RATES[phase.name]} ({phase.rate:g}) or the weights of the losses"


@torch.no_grad()
def logits(net: PrototypeNet, best: np.ndarray) -> np.ndarray:
    """Return the logits ``[N,K]`` of best similarities ``[N,P]``."""
    return net.logits(torch.from_numpy(best).to(net.device)).cpu().numpy()
