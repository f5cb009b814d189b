"""Where an image is like its twin: heat maps that add up to the similarity shown."""

import numpy as np

from twincam.explanations.gradcam import margin_classes, margin_rows
from twincam.explanations.twins import unit
from twincam.models.embedded import Embedded

WITHOUT_MAP = ("features_euclidean", "clip")
"""A distance does not split into cells, nor does what another network sees."""


def shared_heat(query: Embedded, twin: Embedded, weight: np.ndarray, space: str) -> np.ndarray:
    """Return the maps ``[N,h,w]`` whose sum is the similarity of each query and its twin.

    A cosine of pooled features is linear in the query's features, and so splits into its cells:
    with everything else held fixed, each cell's share is what it adds to the similarity (for
    plain features: Zhu et al., Visual Explanation for Deep Metric Learning, IEEE TIP 2021). In
    ``maps`` it is the cell's best match. A space `WITHOUT_MAP` gives all zero.

    Args:
        query: N images with maps.
        twin: their twins, N images; with maps for ``maps``.
        weight: of the head, ``[K,C]``.
        space: a key of `twincam.explanations.twins.SPACES`, or ``clip``.
    """
    n, _, height, width = query.maps.shape
    cells = height * width
    if space in WITHOUT_MAP:
        return np.zeros((n, height, width), np.float32)
    if space == "maps":
        own, other = (
            unit(np.moveaxis(side.maps.reshape(n, -1, cells), 1, 2)) for side in (query, twin)
        )
        best = np.einsum("nqc,ntc->nqt", own, other).max(axis=2)
        return np.asarray(best.reshape(n, height, width) / cells)
    mine, theirs = _weights(query, twin, weight, space)
    pull = theirs * twin.features
    pull = pull / np.linalg.norm(pull, axis=1, keepdims=True)
    norm = np.linalg.norm(mine * query.features, axis=1)
    heat = np.einsum("nchw,nc->nhw", query.maps, mine * pull)
    return np.asarray(heat / norm[:, None, None] / cells)


def _weights(
    query: Embedded, twin: Embedded, weight: np.ndarray, space: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return what multiplies the features of each side before their cosine, ``[N,C]`` each."""
    if space == "contributions":
        own, other = (weight[margin_classes(side.logits)[0]] for side in (query, twin))
        return own, other
    if space == "contributions_margin":
        rows = margin_rows(weight, query.logits)
        return rows, rows
    return np.ones_like(query.features), np.ones_like(twin.features)
