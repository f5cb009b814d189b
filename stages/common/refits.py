"""Train the classifier anew on parts of the images, and score the images that each part left out.

The frozen blocks run once for all parts: every refit draws its views from the same activations.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from stages.common.artifacts import read_array, write_array
from stages.common.backbones import Network
from stages.common.classifier import logits_of
from stages.common.determinism import derived_seed
from stages.common.fitting import Inputs, Training, fit, varied_inputs


class Refit(NamedTuple):
    """Rows of the images to learn from, and rows to score; they share no group."""

    learn: np.ndarray
    score: np.ndarray


def refit_logits(
    network: Network,
    images: np.ndarray,
    labels: Tensor,
    plan: Sequence[Refit],
    training: Training,
    seed: int,
    *,
    checkpoints: Path,
) -> Iterator[np.ndarray]:
    """Yield, for each of ``plan``, the logits ``[S,K]`` of its images to score.

    Each refit starts from the weights that ``network`` comes with, under a head of its own, and
    ends with the last epoch: none is chosen.

    Args:
        network: before training; changed in place.
        images: bytes ``[N,H,W,3]``.
        labels: int64 ``[N]``.
        plan: what to learn from and to score.
        training: the settings of the classifier.
        seed: of heads, order and views.
        checkpoints: folder in which each finished refit is kept; found there, it is not repeated.
    """
    rows = np.unique(np.concatenate([part.learn for part in plan]))
    start = {name: tensor.clone() for name, tensor in network.module.state_dict().items()}
    with varied_inputs(network, images, rows, training.unfreeze_from, training, seed) as inputs:
        for number, part in enumerate(plan):
            kept = checkpoints / f"{number}.npy"
            if not kept.is_file():
                network.module.load_state_dict(start)
                own = derived_seed(seed, "refit", number)
                torch.manual_seed(own)
                network.head.reset_parameters()
                learn = _chosen(inputs, np.searchsorted(rows, part.learn))
                fit(network, (learn, labels[part.learn]), None, training, own)
                write_array(kept, logits_of(network, images[part.score]))
            yield np.array(read_array(kept))


def _chosen(inputs: Inputs, positions: np.ndarray) -> Inputs:
    """Return ``inputs`` of the images at ``positions`` alone."""
    return lambda epoch, indices: inputs(epoch, positions[indices])
