"""The input of the first trained block: the frozen blocks run once and their output is kept."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from twincam.determinism import generator
from twincam.files.arrays import temporary_array
from twincam.files.shards import Rows
from twincam.models.forward import BATCH, batches, run_blocks
from twincam.models.network import Network, device_of
from twincam.training.augmentations import augment
from twincam.training.params import AugmentedViews

Inputs = Callable[[int, np.ndarray], Tensor]
"""Epoch (0: without augmentation) and image indices ``[B]`` to the first trained block's input."""


def augmented_inputs(
    network: Network,
    images: Rows,
    rows: np.ndarray,
    cut: int,
    views: AugmentedViews,
    seed: int,
) -> Inputs:
    """Return the input of ``blocks[cut]`` for ``images[rows]``, augmented anew in each epoch.

    With ``cut`` above 0, ``views.views`` views of every image (the first without augmentation) run
    once through the blocks before it and are kept in a temporary memory map; each epoch samples one
    of them for each image. With ``cut`` 0, or above ``activation_cache_gb``, every epoch computes
    its own views.

    Args:
        network: its blocks before ``cut`` are frozen.
        images: bytes ``[M,H,W,3]``, read a batch at a time.
        rows: which images to use, ``[N]``.
        cut: 0 to the number of blocks.
        views: their number and augmentations, and the gigabytes that may be kept.
        seed: of the augmentations and of the choice among the kept views.
    """

    def fresh(epoch: int, indices: np.ndarray) -> Tensor:
        squares = augmented(images, rows, views.augmentations, (seed, epoch), indices)
        return run_blocks(network, squares, cut)

    shape = run_blocks(network, images[:1], cut).shape[1:]
    gigabytes = views.views * len(rows) * int(np.prod(shape)) * 4 / 1e9
    if cut == 0 or gigabytes > views.activation_cache_gb:
        return fresh
    cache = temporary_array((views.views, len(rows), *shape), np.float32)
    for number in range(views.views):
        chunks = list(batches(len(rows), BATCH))
        for indices in tqdm(chunks, f"view {number + 1}/{views.views}", disable=None):
            cache[number, indices] = fresh(number, indices).cpu().numpy()

    def cached(epoch: int, indices: np.ndarray) -> Tensor:
        choice = generator(seed, "draw", epoch).integers(0, views.views, len(rows))
        numbers = choice[indices] if epoch else np.zeros_like(indices)
        activations = torch.from_numpy(cache[numbers, indices]).to(device_of(network))
        return activations.contiguous(memory_format=torch.channels_last)

    return cached


def select(inputs: Inputs, positions: np.ndarray) -> Inputs:
    """Return ``inputs`` of the images at ``positions`` ``[P]`` alone."""
    return lambda epoch, indices: inputs(epoch, positions[indices])


def augmented(
    images: Rows,
    rows: np.ndarray,
    augmentations: Sequence[str],
    view: tuple[int, int],
    indices: np.ndarray,
) -> np.ndarray:
    """Return one view of each of ``images[rows[indices]]``, bytes ``[B,H,W,3]``.

    Args:
        images: bytes ``[M,H,W,3]``.
        rows: ``[N]``.
        augmentations: their names.
        view: the seed, and the number of the view; number 0 is not augmented.
        indices: places in ``rows``, ``[B]``.
    """
    seed, number = view
    if not number:
        return images[rows[indices]]
    found = [
        augment(images[rows[i]], augmentations, generator(seed, "view", number, int(i)))
        for i in indices
    ]
    return np.stack(found) if found else images[:0]
