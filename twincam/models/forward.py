"""Forward passes in evaluation mode, a batch at a time."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from twincam.files.errors import UserError
from twincam.files.shards import Rows
from twincam.models.embedded import Embedded, join_rows, joined
from twincam.models.network import Network, device_of, normalise, pool

BATCH = 32
"""Images in a batch of a forward pass without training."""


@torch.no_grad()
def embed_batch(network: Network, images: np.ndarray) -> Embedded:
    """Run bytes ``[B,S,S,3]`` through ``network``, in evaluation mode, as one batch.

    Raises:
        UserError: features or logits are NaN or infinite.
    """
    maps = network.infer(to_inputs(network, images))
    _require_finite(network, maps)
    features = pool(maps)
    logits = network.head(features)
    if not (torch.isfinite(features).all() and torch.isfinite(logits).all()):
        raise UserError(
            f"the head of {network.arch} gives logits that are not finite, expected "
            "numbers; lower train.learning_rate and train again"
        )
    arrays = tuple(level.cpu().numpy() for level in maps)
    return Embedded(arrays, features.cpu().numpy(), logits.cpu().numpy(), network.finer)


def embed(network: Network, images: Rows, rows: np.ndarray, *, maps: bool) -> Embedded:
    """Return maps, features and logits of ``images[rows]``, computed a batch at a time.

    Args:
        network: in evaluation mode.
        images: bytes ``[M,S,S,3]``, in memory or memory-mapped.
        rows: ``[N]``, N at least 1.
        maps: whether the feature maps are kept.
    """
    found = (embed_batch(network, images[rows[part]]) for part in batches(len(rows), BATCH))
    return joined((one if maps else one._replace(maps=()) for one in found), len(rows))


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
    return join_rows(found, len(images))[0]


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
    activations: Tensor = network.blocks[:until].eval()(to_inputs(network, images))
    _require_finite(network, (activations,))
    return activations


def to_inputs(network: Network, images: np.ndarray) -> Tensor:
    """Return bytes ``[B,H,W,3]`` as normalised input ``[B,3,H,W]`` on the network's device."""
    return normalise(network, torch.from_numpy(np.array(images)).to(device_of(network)))


def _require_finite(network: Network, maps: Sequence[Tensor]) -> None:
    if not all(torch.isfinite(level).all() for level in maps):
        raise UserError(
            f"{network.arch} gives activations that are not finite, expected numbers; "
            "lower train.learning_rate, or give other weights (model.weights, model.weights_file)"
        )
