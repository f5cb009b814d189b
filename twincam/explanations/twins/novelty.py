"""Whether an image is unlike anything seen in training.

The distance to its nearest training image is compared with those of the training images to theirs
(each left out in turn). A distance is one minus the similarity in `SPACE`, whatever the space of
the twins: of `SPACES`, this one tells other pictures from the training images best
(docs/results/one-image.md). A small distance is no evidence: many pictures of other sources are
near the training images.
"""

import numpy as np

SPACE = "features_cosine"
"""Of `twincam.explanations.twins.spaces.SPACES`."""

UNLIKE = "unlike anything seen in training"

DECIMALS = 6
"""Of distances that are compared: what follows is rounding."""


def quantiles(distances: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return the share of training images that lie closer to their nearest than each image does.

    Args:
        distances: of Q images to their nearest training image, ``[Q]``.
        known: of the T training images to the nearest other, ``[T]``.
    """
    own, theirs = (np.round(part.astype(float), DECIMALS) for part in (distances, known))
    return np.asarray(np.searchsorted(np.sort(theirs), own) / len(theirs))


def is_unlike(quantile: float) -> bool:
    """Return whether every training image is nearer to its nearest than this image is."""
    return quantile >= 1
