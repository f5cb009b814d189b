"""The order in which pixels are removed, how many per step, and what replaces them."""

from collections.abc import Mapping

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

from twincam.explanations.maps import resize_map

BLUR = 10 / 224
"""Standard deviation of the Gaussian, as a share of the image's side."""


def pixel_ranks(maps: np.ndarray, ties: np.ndarray, size: int) -> Tensor:
    """Return each pixel's place in the order of relevance, 0 the most relevant: int32
    ``[B,1,S,S]``.

    Args:
        maps: ``[B,h,w]``, scaled bilinearly.
        ties: ``[B,h',w']``, scaled likewise; decide between pixels of equal relevance, such as all
            of a blank map, so that no side of an image is removed first.
        size: S.
    """
    found = np.empty((len(maps), size * size), np.int32)
    for ranks, heat, tie in zip(found, maps, ties, strict=True):
        drawn = _falling(resize_map(tie, size).ravel())
        level = resize_map(heat, size).ravel()
        ranks[drawn[_falling(level[drawn])]] = np.arange(size * size)
    return torch.from_numpy(found.reshape(-1, 1, size, size))


def _falling(values: np.ndarray) -> np.ndarray:
    return np.argsort(-values, kind="stable")


def count_of(fraction: float, size: int) -> int:
    """Return how many pixels make up ``fraction`` of an image of side ``size``, rounded up."""
    return int(np.ceil(round(fraction * size * size, 6)))


def baselines(inputs: Tensor) -> Mapping[str, Tensor]:
    """Return what can replace removed pixels of ``inputs`` ``[B,3,S,S]``, by name.

    ``blur`` is the image blurred by a Gaussian of 10 pixels at 224, ``mean`` its mean colour.
    """
    sigma = BLUR * inputs.shape[-1]
    blurred = gaussian_filter(inputs.cpu().numpy(), (0, 0, sigma, sigma), mode="nearest")
    mean = inputs.mean(dim=(2, 3), keepdim=True)
    return {
        "blur": torch.from_numpy(blurred).to(inputs.device),
        "mean": mean.expand_as(inputs),
    }


def kept_shares(maps: np.ndarray, size: int) -> Tensor:
    """Return the positive part of maps ``[B,h,w]``, each from 0 to 1, scaled: ``[B,1,S,S]``.

    A map without positive heat, or a constant one, keeps nothing.
    """
    heat = np.maximum(maps, 0)
    low, high = (edge(axis=(1, 2), keepdims=True) for edge in (heat.min, heat.max))
    scaled = (heat - low) / np.maximum(high - low, 1e-12)
    return torch.from_numpy(np.stack([resize_map(one, size) for one in scaled])[:, None])
