"""Final prototypes: each a patch of a training image of its class."""

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from stages.protopnet.examples import Examples
from twincam.explanations.prototypes.matches import best_similarities, features_of
from twincam.explanations.prototypes.network import PrototypeNet
from twincam.files.shards import Rows


@torch.no_grad()
def project(net: PrototypeNet, examples: Examples) -> np.ndarray:
    """Replace each prototype by the nearest patch of its image; return row and cell ``[P,3]``."""
    images, rows = examples.images, examples.train
    best = best_similarities(net, images, rows)
    chosen = rows[assign_images(best, net.owner.cpu().numpy(), examples.train_labels)]
    patch_of = np.empty((len(chosen), 3), int)
    for prototype, row in enumerate(chosen):
        patches = net.patches(features_of(net, images[[row]]))[0]
        cosine = torch.einsum("dhw,d->hw", patches, net.vectors[prototype])
        y, x = divmod(int(cosine.argmax()), cosine.shape[1])
        patch_of[prototype] = row, y, x
        net.vectors[prototype] = patches[:, y, x]
    return patch_of


def features_at(net: PrototypeNet, images: Rows, patches: np.ndarray) -> Tensor:
    """Return the trunk's output ``[P,C]`` at the row and cell ``[P,3]`` of each prototype."""
    return torch.stack([features_of(net, images[[row]])[0, :, y, x] for row, y, x in patches])


def assign_images(best: np.ndarray, owner: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return for each prototype the training image ``[P]`` that it is projected onto.

    Within its own class, each onto a different image, with the largest possible sum of similarities
    (an assignment problem).

    Args:
        best: best similarities of images and prototypes, ``[N,P]``.
        owner: the class of each prototype, ``[P]``.
        labels: of the images, ``[N]``.
    """
    images = np.empty(len(owner), int)
    for name in np.unique(owner):
        own, candidates = np.flatnonzero(owner == name), np.flatnonzero(labels == name)
        rows, columns = linear_sum_assignment(-best[np.ix_(candidates, own)])
        images[own[columns]] = candidates[rows]
    return images
