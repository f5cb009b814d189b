"""What is known of the training images: pictures, cell scores, influence."""

import io
from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image

from twincam.explainer.pack import Influences
from twincam.explanations.influence import LARGEST_HESSIAN, inverse_hessian, refit
from twincam.files.shards import Rows
from twincam.models.embedded import Maps, join_rows
from twincam.models.forward import BATCH, batches, embed_batch
from twincam.models.levels import class_scores
from twincam.models.network import Network

THUMBNAIL = 224
"""Longest side in pixels of a training image's picture."""

QUALITY = 80
"""Of the pictures as WebP."""


def cells_of(
    network: Network, images: Rows, train: np.ndarray, *, keep: bool
) -> tuple[np.ndarray, Maps]:
    """Return `class_scores` ``[T,K,h,w]`` of the training images, and their coarsest maps if kept.

    Args:
        network: in evaluation mode.
        images: bytes ``[M,S,S,3]``, read a batch at a time.
        train: rows of the T training images.
        keep: whether the maps are returned.
    """
    weight = network.head.weight.detach().cpu().numpy()

    def found() -> Iterator[tuple[np.ndarray, ...]]:
        for part in batches(len(train), BATCH):
            maps = embed_batch(network, images[train[part]]).maps
            yield class_scores(maps, weight), *(maps[-1:] if keep else ())

    scores, *kept = join_rows(found(), len(train))
    return scores, tuple(kept)


def thumbnails(ids: Sequence[str], images: Rows, train: np.ndarray) -> dict[str, bytes]:
    """Return the pictures of the images at ``train`` as WebP, by id."""
    return dict(zip(ids, map(_webp, _each(images, train)), strict=True))


def _each(images: Rows, train: np.ndarray) -> Iterator[np.ndarray]:
    for part in batches(len(train), BATCH):
        yield from images[train[part]]


def _webp(image: np.ndarray) -> bytes:
    picture, content = Image.fromarray(image), io.BytesIO()
    picture.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS)
    picture.save(content, "WEBP", quality=QUALITY, method=4)
    return content.getvalue()


def influences_of(
    chosen: str, features: np.ndarray, labels: np.ndarray, classes: int
) -> Influences | None:
    """Return what the estimate ``chosen`` needs of the training images; None if there is none."""
    if not chosen:
        return None
    fitted = refit(features, labels, classes)
    solved = fitted.weight.size <= LARGEST_HESSIAN and chosen == "second_order"
    return Influences(fitted, inverse_hessian(fitted) if solved else np.zeros((0, 0)))
