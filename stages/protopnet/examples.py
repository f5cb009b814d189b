"""The images that prototypes are learned from, and those they are only evaluated on."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from twincam.files.errors import UserError
from twincam.files.shards import Rows


class Examples(NamedTuple):
    """Bytes ``images`` ``[M,S,S,3]``, and the role of each.

    ``labels`` ``[M]`` are class indices; ``train`` ``[N]`` the rows to train on, ``evaluated``
    ``[V]`` those that are only evaluated.
    """

    images: Rows
    labels: np.ndarray
    train: np.ndarray
    evaluated: np.ndarray

    @property
    def train_labels(self) -> np.ndarray:
        """The class indices of the training images, ``[N]``."""
        return self.labels[self.train]

    @property
    def evaluated_labels(self) -> np.ndarray:
        """The class indices of the evaluated images, ``[V]``."""
        return self.labels[self.evaluated]


def require_images(labels: np.ndarray, classes: Sequence[str], per_class: int) -> None:
    """Check that every prototype of a class can have a training image of its own.

    Args:
        labels: class indices of the training images, ``[N]``.
        classes: their names.
        per_class: prototypes of each class.

    Raises:
        UserError: a class has fewer images.
    """
    counts = np.bincount(labels, minlength=len(classes))
    least = int(counts.argmin())
    if counts[least] < per_class:
        raise UserError(
            f"protopnet.prototypes_per_class is {per_class}, but the training split has only "
            f"{counts[least]} of class {classes[least]!r}, and each prototype needs an image of "
            f"its own; set at most {counts[least]}"
        )
