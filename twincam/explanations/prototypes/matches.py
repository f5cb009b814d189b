"""How similar images are to prototypes: the best cosine and its cell. The input is bytes."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from twincam.explanations.prototypes.best_cells import Matches, strongest_cells
from twincam.explanations.prototypes.network import PrototypeNet
from twincam.files.errors import UserError
from twincam.files.shards import Rows
from twincam.models.embedded import join_rows
from twincam.models.forward import BATCH, batches


@torch.no_grad()
def features_of(net: PrototypeNet, images: np.ndarray) -> Tensor:
    """Return the trunk's output ``[B,C,h,w]`` of bytes ``[B,S,S,3]``, without gradients.

    Raises:
        UserError: something in it is NaN or infinite.
    """
    features = net.features(torch.from_numpy(np.array(images)).to(net.device))
    if not torch.isfinite(features).all():
        raise UserError(
            f"{net.arch} gives activations that are not finite, expected numbers; "
            "lower train.learning_rate and train again"
        )
    return features


@torch.no_grad()
def similarity_maps(net: PrototypeNet, images: Rows, rows: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the cosines ``[B,P,h,w]`` of ``images[rows]``, a batch at a time."""
    for part in batches(len(rows), BATCH):
        yield net.similarities(features_of(net, images[rows[part]])).cpu().numpy()


def best_similarities(net: PrototypeNet, images: Rows, rows: np.ndarray) -> np.ndarray:
    """Return the best cosines ``[N,P]`` anywhere in ``images[rows]``."""
    if not len(rows):
        return np.zeros((0, len(net.owner)), np.float32)
    best = ((chunk.max(axis=(2, 3)),) for chunk in similarity_maps(net, images, rows))
    return join_rows(best, len(rows))[0]


def best_matches(net: PrototypeNet, images: Rows, rows: np.ndarray) -> Matches:
    """Return the best cosines in ``images[rows]`` and their cells; of equals the first."""
    found = map(strongest_cells, similarity_maps(net, images, rows))
    return Matches(*join_rows(found, len(rows)))
