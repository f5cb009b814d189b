"""Forward passes in evaluation mode, a batch at a time."""

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from twincam.files.errors import UserError
from twincam.files.shards import Rows
from twincam.models.embedded import Embedded
from twincam.models.network import Network, device_of, normalise, pool

BATCH = 32
"""Images in a batch of a forward pass without training."""


@torch.no_grad()
def embed_batch(network: Network, images: np.ndarray) -> Embedded:
    """Run bytes ``[B,S,S,3]`` through ``network``, in evaluation mode, as one batch.

    Raises:
        UserError: features or logits are NaN or infinite.
    """
    maps = run(network, network.infer, images)
    features = pool(maps)
    logits = network.head(features)
    if not (torch.isfinite(features).all() and torch.isfinite(logits).all()):
        raise UserError(
            f"the head of {network.arch} gives logits that are not finite, expected "
            "numbers; lower train.learning_rate and train again"
        )
    return Embedded(*(tensor.cpu().numpy() for tensor in (maps, features, logits)))


def embed(network: Network, images: Rows, rows: np.ndarray, *, maps: bool) -> Embedded:
    """Return maps, features and logits of ``images[rows]``, computed a batch at a time.

    Args:
        network: in evaluation mode.
        images: bytes ``[M,S,S,3]``, in memory or memory-mapped.
        rows: ``[N]``, N at least 1.
        maps: whether the feature maps are kept.
    """
    found = (embed_batch(network, images[rows[part]]) for part in batches(len(rows), BATCH))
    count = len(rows)
    if maps:
        return Embedded(*joined(found, [count] * 3))
    without = (one._replace(maps=one.maps[:0]) for one in found)
    return Embedded(*joined(without, [0, count, count]))


def logits_of(network: Network, images: Rows) -> np.ndarray:
    """Return the logits ``[N,K]`` (float32) of ``images``, computed a batch at a time.

    Args:
        network: in evaluation mode.
        images: bytes ``[N,S,S,3]``, in memory or memory-mapped.
    """
    if not len(images):
        return np.zeros((0, len(network.classes)), np.float32)
    parts = batches(len(images), BATCH)
    found = ((embed_batch(network, images[part]).logits,) for part in parts)
    return joined(found, [len(images)])[0]


def joined(parts: Iterable[Sequence[np.ndarray]], counts: Sequence[int]) -> tuple[np.ndarray, ...]:
    """Return arrays whose rows come in parts, each part put in its place at once.

    Kept in a list until the last one comes, small parts lie between the large temporary arrays of
    the forward passes that make them, and the allocator cannot give these back: two megabytes a
    batch.

    Args:
        parts: at least one; of each array its next rows.
        counts: how many rows each array has in the end.
    """
    whole: list[np.ndarray] = []
    done = [0] * len(counts)
    for part in parts:
        if not whole:
            whole = [
                np.empty((count, *rows.shape[1:]), rows.dtype)
                for count, rows in zip(counts, part, strict=True)
            ]
        for number, rows in enumerate(part):
            whole[number][done[number] : done[number] + len(rows)] = rows
            done[number] += len(rows)
    return tuple(whole)


def batches(count: int, size: int) -> Iterator[np.ndarray]:
    """Yield the indices ``0 … count-1`` in order, ``size`` at a time."""
    for start in range(0, count, size):
        yield np.arange(start, min(start + size, count))


@torch.no_grad()
def run_blocks(network: Network, images: np.ndarray, until: int) -> Tensor:
    """Run bytes ``[B,H,W,3]`` through ``blocks[:until]`` in evaluation mode: ``[B,C,h,w]``.

    Computed and kept on the device that holds ``network``.

    Raises:
        UserError: an activation is NaN or infinite.
    """
    return run(network, network.blocks[:until].eval(), images)


def to_inputs(network: Network, images: np.ndarray) -> Tensor:
    """Return bytes ``[B,H,W,3]`` as normalised input ``[B,3,H,W]`` on the network's device."""
    return normalise(network, torch.from_numpy(np.array(images)).to(device_of(network)))


def run(network: Network, forward: Callable[[Tensor], Tensor], images: np.ndarray) -> Tensor:
    """Return what ``forward`` gives for bytes ``[B,H,W,3]``, normalised, on the network's device.

    Raises:
        UserError: an activation is NaN or infinite.
    """
    maps = forward(to_inputs(network, images))
    if not torch.isfinite(maps).all():
        raise UserError(
            f"{network.arch} gives activations that are not finite, expected numbers; "
            "lower train.learning_rate, or give other weights (model.weights, model.weights_file)"
        )
    return maps
