"""A linear probe: logistic regression on the pooled features of a network that is not fine-tuned.

Alain and Bengio: Understanding Intermediate Layers Using Linear Classifier Probes, 2016.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.special import log_softmax
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from twincam.files.shards import Rows
from twincam.models.embedded import join_rows
from twincam.models.forward import BATCH, batches, embed_batch
from twincam.models.network import Network
from twincam.statistics.sampling import complete_folds
from twincam.training.activations import augmented
from twincam.training.balancing import sampling_weights
from twincam.training.labelled import LabelledImages
from twincam.training.params import AugmentedViews

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression

STRENGTHS = (0.001, 0.01, 0.1, 1.0)
"""Candidates for C of `LogisticRegression`: the larger, the weaker the L2 penalty."""

UNCHECKED = 0.01
"""C where no image can be held out."""

FOLDS = 5
"""Most folds of the training images that C is chosen on."""


def pooled_views(
    network: Network, images: Rows, rows: np.ndarray, views: AugmentedViews, seed: int
) -> np.ndarray:
    """Return the pooled features ``[V,N,C]`` (float32) of augmented views of ``images[rows]``.

    Args:
        network: in evaluation mode.
        images: bytes ``[M,S,S,3]``, read a batch at a time.
        rows: ``[N]``.
        views: how many views, V, of each image, the first without augmentation.
        seed: of the augmentations.
    """

    def found() -> Iterator[tuple[np.ndarray]]:
        for number in range(views.views):
            parts = list(batches(len(rows), BATCH))
            for part in tqdm(parts, f"view {number + 1}/{views.views}", disable=None):
                squares = augmented(images, rows, views.augmentations, (seed, number), part)
                yield (embed_batch(network, squares).features,)

    (features,) = join_rows(found(), views.views * len(rows))
    return features.reshape(views.views, len(rows), -1)


def fit_probe(
    network: Network,
    features: np.ndarray,
    places: np.ndarray,
    data: LabelledImages,
    rows: np.ndarray,
) -> None:
    """Set the head of ``network`` to the logistic regression of the labels on features.

    The features are standardised for the fit; the head's weights undo this. All views of an image
    count as much as its weight (`sampling_weights`). One copy of the training images' features is
    made: with many images it takes gigabytes.

    Args:
        network: its head changes in place.
        features: ``[V,M,C]``, of V views of M images.
        places: of the N training images among these M, ``[N]``.
        data: all images; those of a group are held out together where C is chosen.
        rows: the training images among them, ``[N]``; every class occurs.
    """
    labels, groups = data.labels[rows].numpy(), data.groups[rows]
    weights = sampling_weights(labels, data.sources[rows])
    inputs = np.take(features, places, axis=1)
    mean, scale = inputs.mean(axis=(0, 1)), inputs.std(axis=(0, 1))
    scale[scale == 0] = 1
    inputs -= mean
    inputs /= scale
    model = _fit(inputs, labels, weights, choose_strength(inputs, labels, groups, weights))
    weight, bias = model.coef_, model.intercept_
    if len(weight) == 1:
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    weight = weight / scale
    with torch.no_grad():
        network.head.weight.copy_(torch.from_numpy(weight))
        network.head.bias.copy_(torch.from_numpy(bias - weight @ mean))


def choose_strength(
    features: np.ndarray, labels: np.ndarray, groups: np.ndarray, weights: np.ndarray
) -> float:
    """Return the C of `STRENGTHS` with the lowest log loss on held-out images.

    Args:
        features: ``[V,N,C]``; an image is scored on its first view.
        labels: class indices ``[N]``. If holding images out would leave a class without any, C is
            `UNCHECKED`.
        groups: images of one are held out together, ``[N]``.
        weights: how much each image counts, ``[N]``.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    folds = min(FOLDS, *(len(np.unique(groups[labels == label])) for label in np.unique(labels)))
    divided = StratifiedGroupKFold(folds).split(labels, labels, groups) if folds > 1 else ()
    parts = complete_folds(divided, labels)
    if not parts:
        return UNCHECKED
    losses = [
        sum(_held_out_loss(features, labels, weights, part, strength) for part in parts)
        for strength in STRENGTHS
    ]
    return STRENGTHS[int(np.argmin(losses))]


def _held_out_loss(
    features: np.ndarray,
    labels: np.ndarray,
    weights: np.ndarray,
    part: tuple[np.ndarray, np.ndarray],
    strength: float,
) -> float:
    train, held_out = part
    model = _fit(features[:, train], labels[train], weights[train], strength)
    scores = model.decision_function(features[0, held_out])
    if scores.ndim == 1:
        scores = np.stack([np.zeros_like(scores), scores], axis=1)
    log_p = log_softmax(scores, axis=1)
    own = np.searchsorted(model.classes_, labels[held_out])
    return float(-log_p[np.arange(len(own)), own] @ weights[held_out])


def _fit(
    features: np.ndarray, labels: np.ndarray, weights: np.ndarray, strength: float
) -> "LogisticRegression":
    from sklearn.linear_model import LogisticRegression

    views, count, channels = features.shape
    model = LogisticRegression(C=strength / views, max_iter=1000)
    with threadpool_limits(1):
        return model.fit(
            features.reshape(views * count, channels),
            np.tile(labels, views),
            np.tile(weights, views),
        )
