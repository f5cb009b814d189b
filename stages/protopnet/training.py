"""Place, warm up, train jointly, project, train tied to the patches, refit."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from stages.protopnet.last_layer import refit
from stages.protopnet.losses import (
    anchor_loss,
    cluster_loss,
    diversity_loss,
    overlap_loss,
    separation_loss,
)
from stages.protopnet.model import PrototypeNet
from stages.protopnet.params import ProtoPNet
from stages.protopnet.placement import (
    assign_images,
    cluster_centres,
    distinctive,
    sample_images,
    sample_patches,
    whitening,
)
from twincam.determinism import derived_seed, generator
from twincam.files.errors import UserError
from twincam.files.messages import warn
from twincam.models.forward import BATCH, batches, run_blocks
from twincam.models.network import Network, device_of
from twincam.models.weights import not_finite
from twincam.training.activations import Inputs, augmented_inputs


@dataclass(frozen=True)
class Phase:
    """One part of the training.

    ``cut`` is the first block that learns. With ``tied_to`` ``[P,C]``, the trunk's output at the
    patches that prototypes were projected onto, each prototype stays its patch while the add-on
    learns: this makes up for what projection cost without leaving the patches.
    """

    name: str
    epochs: int
    rate: float
    cut: int
    tied_to: Tensor | None = None


RATES = {"warm-up": "learning_rate", "joint": "joint_learning_rate", "tied": "joint_learning_rate"}
"""The parameter of block ``protopnet`` that is the rate of each phase."""


class Strongest(NamedTuple):
    """The best cosine of images and prototypes ``[N,P]``, and the cell it is at ``[N,P,2]``."""

    similarity: np.ndarray
    cells: np.ndarray


@dataclass(frozen=True)
class Fitted:
    """A trained network and what its steps came to.

    ``source`` holds row, cell row and cell column ``[P,3]`` of each prototype's patch; ``known``
    and ``seen`` how its training images and the looked-at ones resemble them; the logits ``[N,K]``
    are those of the looked-at images before projection, after it (and the tied epochs), and after
    the refit.
    """

    net: PrototypeNet
    source: np.ndarray
    known: Strongest
    seen: Strongest
    before: np.ndarray
    after: np.ndarray
    refitted: np.ndarray


def fit_prototypes(
    network: Network,
    images: np.ndarray,
    rows: np.ndarray,
    labels: np.ndarray,
    watched: np.ndarray,
    settings: ProtoPNet,
    seed: int,
) -> Fitted:
    """Fit a prototype network to ``images[rows]``; ``images[watched]`` are only looked at.

    Args:
        network: the fine-tuned classifier.
        images: bytes ``[M,H,W,3]``.
        rows: the training images, ``[N]``.
        labels: their class indices, ``[N]``; of each class at least as many as prototypes.
        watched: rows to give logits for, ``[V]``.
        settings: block ``protopnet``; ``remove`` plays no part, so that ids keep their meaning.
        seed: of k-means, order and views.
    """
    net = placed(network, images, rows, labels, settings, seed)
    past = settings.after_block + 1
    slow = settings.joint_learning_rate

    def train(phase: Phase) -> None:
        if phase.epochs:
            with augmented_inputs(network, images, rows, phase.cut, settings, seed) as inputs:
                train_phase(net, inputs, labels, settings, phase, seed)

    train(Phase("warm-up", settings.warmup_epochs, settings.learning_rate, past))
    train(Phase("joint", settings.joint_epochs, slow, settings.after_block))
    before = logits(net, best_similarities(net, network, images, watched))
    source = project(net, network, images, rows, labels)
    cells = source_cells(net, network, images, source)
    train(Phase("tied", settings.tied_epochs, slow, past, tied_to=cells))
    seen, known = (strongest(net, network, images, some) for some in (watched, rows))
    after = logits(net, seen.similarity)
    fit_last_layer(net, known.similarity, labels, settings)
    return Fitted(net, source, known, seen, before, after, logits(net, seen.similarity))


def placed(
    network: Network,
    images: np.ndarray,
    rows: np.ndarray,
    labels: np.ndarray,
    settings: ProtoPNet,
    seed: int,
) -> PrototypeNet:
    """Return the network before training: `place` of one of the settings' size."""
    net = PrototypeNet(
        network, settings.after_block, settings.channels, settings.prototypes_per_class
    ).to(device_of(network))
    place(net, network, images, rows, labels, seed)
    return net


@torch.no_grad()
def place(
    net: PrototypeNet,
    network: Network,
    images: np.ndarray,
    rows: np.ndarray,
    labels: np.ndarray,
    seed: int,
) -> None:
    """Start the add-on as a whitening, prototypes as k-means centres of what sets a class apart."""
    until = net.after_block + 1
    chosen = sample_images(labels, seed)
    rows, labels = rows[chosen], labels[chosen]
    maps = np.concatenate(
        [
            run_blocks(network, images[rows[part]], until).cpu().numpy()
            for part in batches(len(rows), BATCH)
        ]
    )
    maps = maps.transpose(0, 2, 3, 1)
    weight, bias = whitening(sample_patches(maps, seed, "all"), net.add_on.out_channels)
    net.add_on.weight.zero_()
    net.add_on.weight[: len(weight), :, 0, 0] = torch.from_numpy(weight).to(device_of(network))
    net.add_on.bias.zero_()  # type: ignore[union-attr]
    net.add_on.bias[: len(bias)] = torch.from_numpy(bias).to(device_of(network))  # type: ignore[index]
    patches = maps @ weight.T + bias
    unit = patches / np.maximum(np.linalg.norm(patches, axis=3, keepdims=True), 1e-12)
    samples = [sample_patches(unit[labels == name], seed, name) for name in range(len(net.bias))]
    for name in range(len(net.bias)):
        own = unit[labels == name]
        others = np.concatenate([patches for k, patches in enumerate(samples) if k != name])
        mine = net.owner == name
        count = int(mine.sum())
        centres = cluster_centres(distinctive(own, others, count), count, seed, name)
        net.vectors[mine] = 0
        net.vectors[mine, : centres.shape[1]] = (
            torch.from_numpy(centres).float().to(device_of(network))
        )


def balanced_batches(
    labels: np.ndarray, size: int, rng: np.random.Generator
) -> Iterator[np.ndarray]:
    """Yield an epoch of index batches, each with as many images of every class.

    Every image comes at least once; those of smaller classes again until the largest is through.
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


def prototype_loss(
    net: PrototypeNet, vectors: Tensor, similar: Tensor, labels: Tensor, settings: ProtoPNet
) -> Tensor:
    """Return cross-entropy plus the weighted terms of `stages.protopnet.losses`.

    Args:
        net: gives points and owners.
        vectors: the prototypes ``[P,D]``.
        similar: similarities ``[N,P,h,w]``.
        labels: ``[N]``.
        settings: the weights.
    """
    best = similar.amax(dim=(2, 3))
    return (
        nn.functional.cross_entropy(net.logits(best), labels)
        + settings.cluster * cluster_loss(best, net.owner, labels)
        + settings.anchor * anchor_loss(best, net.owner, labels)
        + settings.separation * separation_loss(best, net.owner, labels)
        + settings.overlap * overlap_loss(similar, net.owner, labels)
        + settings.diversity * diversity_loss(vectors, net.owner, settings.max_cosine)
    )


def train_phase(
    net: PrototypeNet,
    inputs: Inputs,
    labels: np.ndarray,
    settings: ProtoPNet,
    phase: Phase,
    seed: int,
) -> None:
    """Train add-on, blocks from ``phase.cut`` on and, unless they are tied, the prototypes.

    Batch normalisation keeps the classifier's statistics. A loss that ends higher than it began,
    by half of what guessing costs, is said on standard error.

    Raises:
        UserError: a loss or a weight became NaN or infinite.
    """
    learning = net.trunk[phase.cut :]
    parameters = [*net.add_on.parameters(), *learning.parameters()]
    if phase.tied_to is None:
        parameters.append(net.vectors)
    optimizer = torch.optim.AdamW(parameters, lr=phase.rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, phase.epochs)
    targets = torch.from_numpy(labels).to(net.vectors.device)
    advice = f"lower protopnet.{RATES[phase.name]} ({phase.rate:g}) or the weights of the losses"
    losses = []
    for epoch in tqdm(range(1, phase.epochs + 1), phase.name, disable=None):
        found = []
        rng = generator(seed, phase.name, epoch)
        torch.manual_seed(derived_seed(seed, phase.name, epoch))
        for indices in balanced_batches(labels, settings.batch_size, rng):
            vectors = phase_vectors(net, phase)
            similar = net.similarities(learning(inputs(epoch, indices)), vectors)
            loss = prototype_loss(net, vectors, similar, targets[indices], settings)
            found.append(loss.item())
            if not np.isfinite(found[-1]):
                raise UserError(
                    f"the prototype network diverged in epoch {epoch} of {phase.name}: "
                    f"the loss is {found[-1]}, expected a number; {advice}"
                )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        schedule.step()
        losses.append(float(np.mean(found)))
        if name := not_finite(net.state_dict()):
            raise UserError(
                f"the prototype network diverged in epoch {epoch} of {phase.name}: the weights "
                f"({name}) are not finite, expected numbers; {advice}"
            )
    if losses[-1] > losses[0] + np.log(len(net.bias)) / 2:
        warn(
            "protopnet",
            f"the loss of {phase.name} rose from {losses[0]:.3g} in epoch 1 to {losses[-1]:.3g}; "
            f"{advice}",
        )
    with torch.no_grad():
        net.vectors.copy_(phase_vectors(net, phase))


def phase_vectors(net: PrototypeNet, phase: Phase) -> Tensor:
    """Return the prototypes ``[P,D]`` as they stand in ``phase``."""
    if phase.tied_to is None:
        return net.vectors
    return net.patches(phase.tied_to[:, :, None, None])[:, :, 0, 0]


@torch.no_grad()
def similarity_maps(
    net: PrototypeNet, network: Network, images: np.ndarray, rows: np.ndarray
) -> Iterator[np.ndarray]:
    """Yield the cosines ``[B,P,h,w]`` of ``images[rows]``, a batch at a time."""
    for part in batches(len(rows), BATCH):
        yield (
            net.similarities(run_blocks(network, images[rows[part]], net.after_block + 1))
            .cpu()
            .numpy()
        )


def best_similarities(
    net: PrototypeNet, network: Network, images: np.ndarray, rows: np.ndarray
) -> np.ndarray:
    """Return the best cosines ``[N,P]`` anywhere in ``images[rows]``."""
    maps = similarity_maps(net, network, images, rows)
    return np.concatenate([chunk.max(axis=(2, 3)) for chunk in maps])


def strongest(
    net: PrototypeNet, network: Network, images: np.ndarray, rows: np.ndarray
) -> Strongest:
    """Return the best cosines anywhere in ``images[rows]``, and where; of equals the first."""
    similarity, cells = [], []
    for chunk in similarity_maps(net, network, images, rows):
        flat = chunk.reshape(*chunk.shape[:2], -1)
        similarity.append(flat.max(axis=2))
        cells.append(np.stack(np.divmod(flat.argmax(axis=2), chunk.shape[3]), axis=2))
    return Strongest(np.concatenate(similarity), np.concatenate(cells))


def fit_last_layer(
    net: PrototypeNet,
    best: np.ndarray,
    labels: np.ndarray,
    settings: ProtoPNet,
    removed: Sequence[int] = (),
) -> None:
    """Fit points and bias of ``net`` in place; those ``removed`` get no points.

    Args:
        net: with prototypes in place.
        best: best similarities of the training images, ``[N,P]``.
        labels: class indices of these, ``[N]``.
        settings: the penalties.
        removed: positions of prototypes; at least one other stays.
    """
    owner = net.owner.cpu().numpy()
    kept = np.setdiff1d(np.arange(len(owner)), removed)
    points = np.zeros(len(owner), np.float32)
    points[kept], bias = refit(
        best.take(kept, axis=1), owner[kept], labels, len(net.bias), settings.l1, settings.ridge
    )
    net.points.copy_(torch.from_numpy(points))
    net.bias.copy_(torch.from_numpy(bias))


@torch.no_grad()
def logits(net: PrototypeNet, best: np.ndarray) -> np.ndarray:
    """Return the logits ``[N,K]`` of best similarities ``[N,P]``."""
    return net.logits(torch.from_numpy(best).to(net.vectors.device)).cpu().numpy()


@torch.no_grad()
def project(
    net: PrototypeNet, network: Network, images: np.ndarray, rows: np.ndarray, labels: np.ndarray
) -> np.ndarray:
    """Replace each prototype by the nearest patch of its image; return row and cell ``[P,3]``."""
    best = best_similarities(net, network, images, rows)
    chosen = rows[assign_images(best, net.owner.cpu().numpy(), labels)]
    source = np.empty((len(chosen), 3), int)
    for prototype, row in enumerate(chosen):
        patches = net.patches(run_blocks(network, images[[row]], net.after_block + 1))[0]
        cosine = torch.einsum("dhw,d->hw", patches, net.vectors[prototype])
        y, x = divmod(int(cosine.argmax()), cosine.shape[1])
        source[prototype] = row, y, x
        net.vectors[prototype] = patches[:, y, x]
    return source


def source_cells(
    net: PrototypeNet, network: Network, images: np.ndarray, source: np.ndarray
) -> Tensor:
    """Return the trunk's output ``[P,C]`` at the row and cell ``[P,3]`` of each prototype."""
    until = net.after_block + 1
    maps = [run_blocks(network, images[[row]], until)[0, :, y, x] for row, y, x in source]
    return torch.stack(maps)
