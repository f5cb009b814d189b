"""Train the last blocks of a network; the frozen ones before run once and are cached.

Every random choice in an epoch depends on the seed and the epoch's number alone, so a run that was
interrupted resumes from its last checkpoint and ends with the same bits. Processes that train
together (`twincam.training.data_parallel`) make the same choices, whatever their number.
"""

import io
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from twincam.determinism import derived_seed, generator
from twincam.files.atomic import write_bytes
from twincam.files.errors import UserError
from twincam.models.forward import batches
from twincam.models.network import Levels, Network, device_of, pool
from twincam.models.weights import not_finite
from twincam.training.balancing import epoch_order
from twincam.training.data_parallel import (
    ALONE,
    Group,
    of_first,
    share,
    sum_gradients,
    summed,
    whole_batch_statistics,
)
from twincam.training.labelled import LabelledInputs
from twincam.training.params import Training

WARM_UP = 0.2
"""The share of the learning rate in the first epoch (Goyal et al., Accurate, Large Minibatch SGD,
2017)."""


class Recipe(NamedTuple):
    """How to train: the settings, and the seed of order and augmentations."""

    training: Training
    seed: int


@dataclass(frozen=True)
class Epoch:
    """Results of one epoch; losses are mean cross-entropies, accuracies shares."""

    epoch: int
    learning_rate: float
    train_loss: float
    train_accuracy: float
    val_loss: float
    val_accuracy: float


@dataclass
class _Progress:
    """The state of training between two epochs; a checkpoint holds all of it."""

    tail: nn.ModuleList
    optimizer: torch.optim.Optimizer
    history: list[Epoch] = field(default_factory=list)
    best: int = 0
    best_state: dict[str, Tensor] = field(default_factory=dict)


def fit(
    network: Network,
    train: LabelledInputs,
    val: LabelledInputs | None,
    recipe: Recipe,
    *,
    select_on_val: bool = False,
    checkpoint: Path | None = None,
    group: Group = ALONE,
) -> tuple[list[Epoch], int]:
    """Train ``network.blocks[unfreeze_from:]`` and the head with cross-entropy.

    Depthwise kernels keep their weights unless all blocks are trained: their gradients take a sixth
    of the time, and the classifier is as good without.

    Args:
        network: trained in place, on the device that holds it.
        train: the training images.
        val: the images to evaluate after each epoch, if any.
        recipe: settings and seed.
        select_on_val: keep the epoch of lowest validation loss instead of the last.
        checkpoint: where the state after each epoch is saved, if anywhere; training resumes from
            it.
        group: of processes, each of which calls this with the same arguments and trains its copy of
            ``network`` to the same weights. The first writes the checkpoint.

    Returns:
        The history and the number of the epoch kept, from 1.

    Raises:
        UserError: a loss or a weight became NaN or infinite, or ``checkpoint`` is not readable.
    """
    training = recipe.training
    tail = nn.ModuleList([_trained_maps(network, training.unfreeze_from), network.head])
    if training.unfreeze_from:
        _keep_depthwise_kernels(tail)
    progress = _Progress(tail, _optimizer(tail, training))
    if checkpoint and (saved := of_first(_content(checkpoint), group)) is not None:
        _resume(progress, saved, checkpoint, device_of(network))
    done, total = len(progress.history), training.epochs
    bar = tqdm(range(done + 1, total + 1), "train", initial=done, total=total, disable=None)
    for number in bar:
        epoch = _one_epoch(progress, train, val, recipe, number, group)
        progress.history.append(epoch)
        bar.set_postfix(loss=f"{epoch.train_loss:.3f}", val=f"{epoch.val_accuracy:.3f}")
        if not select_on_val:
            progress.best = number
        elif epoch.val_loss <= min(row.val_loss for row in progress.history):
            progress.best = number
            progress.best_state = {k: v.detach().clone() for k, v in tail.state_dict().items()}
        if checkpoint and not group.rank:
            _write_checkpoint(progress, checkpoint)
    if select_on_val:
        tail.load_state_dict(progress.best_state)
    return progress.history, progress.best


def _trained_maps(network: Network, cut: int) -> Levels:
    """Return the blocks of ``network`` from ``cut`` on, with their levels; the input may be one."""
    return Levels(network.blocks[cut:], [level - cut for level in network.levels])


def _keep_depthwise_kernels(tail: nn.Module) -> None:
    for layer in tail.modules():
        if isinstance(layer, nn.Conv2d) and layer.groups == layer.in_channels > 1:
            layer.weight.requires_grad_(False)


def divergence_warning(
    history: Sequence[Epoch], kept: int, classes: int, training: Training
) -> str:
    """Return a sentence if the loss exploded, else an empty string.

    It did if the training loss of the epoch kept exceeds that of the first epoch or that of chance,
    ``log(classes)``, whichever is less, by half of the latter.
    """
    chance, first, last = np.log(classes), history[0].train_loss, history[kept - 1].train_loss
    if last <= min(first, chance) + chance / 2:
        return ""
    earlier = f"it was {first:.3g} in epoch 1 and " if kept > 1 else ""
    return (
        f"the training loss of epoch {kept} is {last:.3g}; {earlier}the loss of chance is "
        f"{chance:.3g}: training diverged; "
        f"lower train.learning_rate ({training.learning_rate:g})"
    )


def _diverged(epoch: int, what: str, training: Training) -> UserError:
    return UserError(
        f"training diverged in epoch {epoch}: {what}, expected finite numbers; "
        f"lower train.learning_rate ({training.learning_rate:g})"
        f" or train.weight_decay ({training.weight_decay:g})"
    )


def _write_checkpoint(progress: _Progress, path: Path) -> None:
    state = {
        "tail": progress.tail.state_dict(),
        "optimizer": progress.optimizer.state_dict(),
        "history": [vars(row) for row in progress.history],
        "best": progress.best,
        "best_state": progress.best_state,
    }
    content = io.BytesIO()  # given a path, torch raises RuntimeError where the disk is full
    torch.save(state, content)
    write_bytes(path, content.getvalue())


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _resume(progress: _Progress, content: bytes, path: Path, device: torch.device) -> None:
    """Restore ``progress`` from the ``content`` that `_write_checkpoint` wrote to ``path``."""
    try:
        saved = torch.load(io.BytesIO(content), map_location=device, weights_only=True)
        broken = not_finite({**saved["tail"], **saved["best_state"]})
    except Exception:
        raise UserError(
            f"{path}: expected the checkpoint of an interrupted run, got a damaged file; "
            "remove it and run again"
        ) from None
    if broken:
        raise UserError(
            f"{path}: the weights ({broken}) are of a diverged training, expected finite numbers; "
            "remove it, lower train.learning_rate and run again"
        )
    progress.tail.load_state_dict(saved["tail"])
    progress.optimizer.load_state_dict(saved["optimizer"])
    progress.history = [Epoch(**row) for row in saved["history"]]
    progress.best, progress.best_state = saved["best"], saved["best_state"]


def learning_rate(training: Training, epoch: int) -> float:
    """Return the rate of ``epoch``, from 1.

    It is constant, or after a first epoch at `WARM_UP` half a cosine from full to near zero.
    """
    if training.schedule == "constant" or training.epochs == 1:
        return training.learning_rate
    if epoch == 1:
        return training.learning_rate * WARM_UP
    done = (epoch - 2) / (training.epochs - 1)
    return float(training.learning_rate * (1 + np.cos(np.pi * done)) / 2)


def _optimizer(tail: nn.Module, training: Training) -> torch.optim.Optimizer:
    rate, decay = training.learning_rate, training.weight_decay
    parameters = [weight for weight in tail.parameters() if weight.requires_grad]
    if training.optimizer == "sgd":
        return torch.optim.SGD(parameters, lr=rate, momentum=0.9, weight_decay=decay)
    kind = torch.optim.AdamW if training.optimizer == "adamw" else torch.optim.Adam
    return kind(parameters, lr=rate, weight_decay=decay)


def _one_epoch(
    progress: _Progress,
    train: LabelledInputs,
    val: LabelledInputs | None,
    recipe: Recipe,
    number: int,
    group: Group,
) -> Epoch:
    """Train for the epoch ``number``, from 1, and evaluate on ``val``.

    Raises:
        UserError: a loss or a weight became NaN or infinite.
    """
    training, tail = recipe.training, progress.tail
    rate = learning_rate(training, number)
    for weights in progress.optimizer.param_groups:
        weights["lr"] = rate
    torch.manual_seed(derived_seed(recipe.seed, "epoch", number))
    train_loss, train_accuracy = _train_epoch(
        tail, progress.optimizer, train, recipe, number, group
    )
    val_loss, val_accuracy = (
        _evaluate(tail, val, training.batch_size, group) if val else (np.nan, np.nan)
    )
    if val and not np.isfinite(val_loss):
        raise _diverged(number, f"the validation loss is {val_loss}", training)
    if name := not_finite(tail.state_dict()):
        raise _diverged(number, f"the weights ({name}) are not finite", training)
    return Epoch(number, rate, train_loss, train_accuracy, val_loss, val_accuracy)


def _logits(tail: nn.ModuleList, activations: Tensor) -> Tensor:
    with mixed_precision(activations.device):
        logits: Tensor = tail[1](pool(tail[0](activations)))
    return logits.float()


def mixed_precision(device: torch.device) -> AbstractContextManager[object]:
    """Return a context in which a GPU computes what tolerates it in bfloat16; a CPU never does.

    Micikevicius et al., Mixed Precision Training (ICLR 2018); bfloat16 has float32's range, so no
    loss needs scaling.
    """
    if device.type == "cuda":
        return torch.autocast("cuda", torch.bfloat16)
    return nullcontext()


def _train_epoch(
    tail: nn.ModuleList,
    optimizer: torch.optim.Optimizer,
    train: LabelledInputs,
    recipe: Recipe,
    number: int,
    group: Group,
) -> tuple[float, float]:
    """Take an optimiser step on each batch; return mean loss and accuracy."""
    training = recipe.training
    order = epoch_order(train.weights, generator(recipe.seed, "order", number))
    tail.train()
    losses, hits = 0.0, 0
    for indices in _without_single(order, training.batch_size):
        own = share(indices, group)
        inputs = train.inputs(number, own)
        with whole_batch_statistics(group):
            logits = _logits(tail, inputs)
        target = train.labels[own].to(logits.device)
        part = _part_of_loss(logits, target, training.label_smoothing, len(indices))
        loss = summed(part, group).item()
        if not np.isfinite(loss):
            raise _diverged(number, f"the training loss is {loss}", training)
        optimizer.zero_grad()
        part.backward()
        sum_gradients(tail, group)
        optimizer.step()
        losses += loss * len(indices)
        hits += int((logits.argmax(1) == target).sum())
    hits = int(summed(torch.tensor(hits), group))
    return losses / len(order), hits / len(order)


def _part_of_loss(logits: Tensor, target: Tensor, smoothing: float, count: int) -> Tensor:
    """Return what these images add to the mean cross-entropy of a batch of ``count`` images.

    Without images it is 0, whose gradient is 0: the other processes wait for it, too.
    """
    if not len(target):
        return logits.sum()
    mean = nn.functional.cross_entropy(logits, target, label_smoothing=smoothing)
    return mean * (len(target) / count)


def _without_single(order: np.ndarray, size: int) -> Sequence[np.ndarray]:
    """Cut ``order`` into batches of ``size``; a last batch of 1 is merged into the one before."""
    cuts = list(range(size, len(order) - 1, size))
    return np.split(order, cuts)


@torch.no_grad()
def _evaluate(
    tail: nn.ModuleList, val: LabelledInputs, size: int, group: Group
) -> tuple[float, float]:
    """Return mean loss and accuracy, without augmentation; each process runs some batches."""
    tail.eval()
    logits = torch.zeros(len(val.labels), len(tail.get_parameter("1.bias")))
    for indices in list(batches(len(val.labels), size))[group.rank :: group.size]:
        logits[indices] = _logits(tail, val.inputs(0, indices)).cpu()
    return cross_entropy_and_accuracy(summed(logits, group), val.labels)


def cross_entropy_and_accuracy(logits: Tensor, labels: Tensor) -> tuple[float, float]:
    """Return the mean cross-entropy of ``logits`` ``[N,K]`` and the share predicted as labelled."""
    loss = nn.functional.cross_entropy(logits, labels)
    return loss.item(), float((logits.argmax(1) == labels).float().mean())
