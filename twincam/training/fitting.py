"""Train the last blocks of a network; the frozen ones before run once, their activations are kept.

Every random choice of an epoch is drawn from the seed and the epoch's number alone, so a run that
was interrupted goes on from its last checkpoint to the same bits.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from twincam.determinism import derived_seed, generator
from twincam.files.atomic import atomic_path
from twincam.files.errors import UserError
from twincam.models.forward import batches
from twincam.models.network import Network, device, pool
from twincam.models.weights import not_finite
from twincam.training.activations import Inputs
from twincam.training.params import Training


@dataclass(frozen=True)
class Epoch:
    """What one epoch came to; losses are mean cross-entropies, accuracies shares."""

    epoch: int
    learning_rate: float
    train_loss: float
    train_accuracy: float
    val_loss: float
    val_accuracy: float


def fit(
    network: Network,
    train: tuple[Inputs, Tensor],
    val: tuple[Inputs, Tensor] | None,
    training: Training,
    seed: int,
    *,
    select_on_val: bool = False,
    checkpoint: Path | None = None,
) -> tuple[list[Epoch], int]:
    """Train ``network.blocks[unfreeze_from:]`` and the head with cross-entropy.

    Args:
        network: trained in place.
        train: inputs and labels ``[N]`` (int64) to learn from.
        val: the same to look at after each epoch, if anything.
        training: the settings.
        seed: of order, views and dropout.
        select_on_val: keep the epoch of least validation loss instead of the last.
        checkpoint: where each finished epoch is kept, if anywhere; found there, it is gone on from.

    Returns:
        The history and the number of the epoch kept, from 1.

    Raises:
        UserError: a loss or a weight became NaN or infinite, or ``checkpoint`` is not readable.
    """
    tail = nn.ModuleList([network.blocks[training.unfreeze_from :], network.head])
    tail.to(device())
    optimizer = _optimizer(tail, training)
    history: list[Epoch] = []
    best, best_state = 0, dict[str, Tensor]()
    if checkpoint and checkpoint.is_file():
        saved = _read_checkpoint(checkpoint)
        tail.load_state_dict(saved["tail"])
        optimizer.load_state_dict(saved["optimizer"])
        history = [Epoch(**row) for row in saved["history"]]
        best, best_state = saved["best"], saved["best_state"]
    numbers = range(len(history) + 1, training.epochs + 1)
    bar = tqdm(numbers, "train", initial=len(history), total=training.epochs, disable=None)
    for number in bar:
        rate = learning_rate(training, number)
        for group in optimizer.param_groups:
            group["lr"] = rate
        torch.manual_seed(derived_seed(seed, "epoch", number))
        train_loss, train_accuracy = _train_epoch(
            tail, optimizer, train, training, number, generator(seed, "order", number)
        )
        val_loss, val_accuracy = (
            _evaluate(tail, val, training.batch_size) if val else (np.nan, np.nan)
        )
        if val and not np.isfinite(val_loss):
            raise _diverged(number, f"the validation loss is {val_loss}", training)
        if name := not_finite(tail.state_dict()):
            raise _diverged(number, f"the weights ({name}) are not finite", training)
        history.append(Epoch(number, rate, train_loss, train_accuracy, val_loss, val_accuracy))
        bar.set_postfix(loss=f"{train_loss:.3f}", val=f"{val_accuracy:.3f}")
        if not select_on_val or val_loss <= min(row.val_loss for row in history):
            best = number
            if select_on_val:
                best_state = {k: v.detach().clone() for k, v in tail.state_dict().items()}
        if checkpoint:
            state = {
                "tail": tail.state_dict(),
                "optimizer": optimizer.state_dict(),
                "history": [vars(row) for row in history],
                "best": best,
                "best_state": best_state,
            }
            with atomic_path(checkpoint) as partial:
                torch.save(state, partial)
    if select_on_val:
        tail.load_state_dict(best_state)
    return history, best


def gone_astray(history: Sequence[Epoch], kept: int, classes: int, training: Training) -> str:
    """Say that a loss exploded, if it did; empty where training went well.

    It did if the training loss of the epoch kept exceeds that of the first epoch or of guessing,
    whichever is less, by half of what guessing costs: ``log(classes)``.
    """
    chance, first, last = np.log(classes), history[0].train_loss, history[kept - 1].train_loss
    if last <= min(first, chance) + chance / 2:
        return ""
    return (
        f"the training loss of epoch {kept} is {last:.3g}; it was {first:.3g} in epoch 1, and "
        f"guessing costs {chance:.3g}: training diverged; "
        f"lower train.learning_rate ({training.learning_rate:g})"
    )


def _diverged(epoch: int, what: str, training: Training) -> UserError:
    return UserError(
        f"training diverged in epoch {epoch}: {what}, expected finite numbers; "
        f"lower train.learning_rate ({training.learning_rate:g})"
        f" or train.weight_decay ({training.weight_decay:g})"
    )


def _read_checkpoint(path: Path) -> dict[str, Any]:
    """Read what `fit` kept of its last epoch."""
    try:
        saved: dict[str, Any] = torch.load(path, map_location=device(), weights_only=True)
        broken = not_finite({**saved["tail"], **saved["best_state"]})
    except Exception:
        raise UserError(
            f"{path}: expected the checkpoint of an interrupted training, it is damaged; "
            "remove it and run again"
        ) from None
    if broken:
        raise UserError(
            f"{path}: the weights ({broken}) of a training that diverged, expected finite numbers; "
            "remove it, lower train.learning_rate and run again"
        )
    return saved


def learning_rate(training: Training, epoch: int) -> float:
    """Return the rate of ``epoch`` (from 1): constant, or half a cosine from full to near zero."""
    if training.schedule == "constant":
        return training.learning_rate
    return float(training.learning_rate * (1 + np.cos(np.pi * (epoch - 1) / training.epochs)) / 2)


def _optimizer(tail: nn.Module, training: Training) -> torch.optim.Optimizer:
    rate, decay = training.learning_rate, training.weight_decay
    parameters = list(tail.parameters())
    if training.optimizer == "sgd":
        return torch.optim.SGD(parameters, lr=rate, momentum=0.9, weight_decay=decay)
    kind = torch.optim.AdamW if training.optimizer == "adamw" else torch.optim.Adam
    return kind(parameters, lr=rate, weight_decay=decay)


def _logits(tail: nn.ModuleList, activations: Tensor) -> Tensor:
    return tail[1](pool(tail[0](activations)))


def _train_epoch(
    tail: nn.ModuleList,
    optimizer: torch.optim.Optimizer,
    data: tuple[Inputs, Tensor],
    training: Training,
    epoch: int,
    rng: np.random.Generator,
) -> tuple[float, float]:
    inputs, labels = data
    order = rng.permutation(len(labels))
    tail.train()
    losses, hits = 0.0, 0
    for indices in _without_single(order, training.batch_size):
        target = labels[indices].to(device())
        logits = _logits(tail, inputs(epoch, indices))
        loss = nn.functional.cross_entropy(logits, target, label_smoothing=training.label_smoothing)
        if not torch.isfinite(loss):
            raise _diverged(epoch, f"the training loss is {loss.item()}", training)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses += loss.item() * len(indices)
        hits += int((logits.argmax(1) == target).sum())
    return losses / len(labels), hits / len(labels)


def _without_single(order: np.ndarray, size: int) -> Sequence[np.ndarray]:
    """Cut ``order`` into batches of ``size``, a last one of 1 joining its neighbour."""
    cuts = list(range(size, len(order) - 1, size))
    return np.split(order, cuts)


@torch.no_grad()
def _evaluate(tail: nn.ModuleList, data: tuple[Inputs, Tensor], size: int) -> tuple[float, float]:
    inputs, labels = data
    tail.eval()
    chunks = [_logits(tail, inputs(0, indices)).cpu() for indices in batches(len(labels), size)]
    logits = torch.cat(chunks)
    loss = nn.functional.cross_entropy(logits, labels)
    return loss.item(), float((logits.argmax(1) == labels).float().mean())
