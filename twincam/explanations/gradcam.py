"""Grad-CAM in closed form for networks that end in average pooling and a linear layer.

Selvaraju et al. (Grad-CAM, ICCV 2017) weight each last feature map with the mean gradient of a
score. With average pooling that gradient is the head's weight over the number of cells, so the
map is a weighted sum of the feature maps: no backward pass. The score explained here is the
margin, the predicted logit minus the runner-up's, and the sign is kept. The common factor of one
over the number of cells is omitted, so the mean of a map plus the biases' difference is the margin.
"""

import numpy as np

from twincam.models.embedded import Maps
from twincam.models.levels import cell_sums
from twincam.statistics.margins import margin_classes


def margin_rows(weight: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """Return, ``[N,C]``, the head's row of each predicted class minus its runner-up's.

    Args:
        weight: the head's weight ``[K,C]``.
        logits: ``[N,K]``.
    """
    predicted, rival = margin_classes(logits)
    return np.asarray(weight[predicted] - weight[rival])


def margin_maps(feature_maps: Maps, weight: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """Return the signed maps ``[N,h,w]`` of the margin.

    A head that reads several levels has a map of each; shown is their sum on the finest grid.

    Args:
        feature_maps: those that the head reads.
        weight: the head's weight ``[K,C]``.
        logits: ``[N,K]``, of the same images.
    """
    return cell_sums(feature_maps, margin_rows(weight, logits))
