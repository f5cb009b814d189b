"""Overlapping crops of an image, each seen by itself by all blocks of a classifier."""

import torch
from torch import Tensor, nn

from twincam.models.network import Network, maps_of, pool

GRID = 7
"""Crops along each side of an image."""


class Crops(nn.Module):
    """All blocks of a classifier, as a trunk whose cells are crops of the image.

    Each crop passes through the blocks by itself and is pooled as the classifier's head expects, so
    its features are the deepest, and nothing outside of it affects them (as in BagNet, Brendel and
    Bethge, ICLR 2019, but with the weights of an ordinary network). A crop has three times the side
    of its cell; what would lie outside of the image mirrors the inside. Where no gradients are
    needed, the network's own ``infer`` runs the blocks, which may be compiled.
    """

    pixels: Tensor

    def __init__(self, network: Network, size: int) -> None:
        """Share the blocks of ``network``, for images of ``size`` pixels a side."""
        super().__init__()
        self.network, self.maps = network, maps_of(network)
        self.stride = -(-size // GRID)
        self.register_buffer("pixels", crop_pixels(size, self.stride), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Return the pooled features ``[N,C,h,w]`` of normalised images ``[N,3,S,S]``."""
        side, places = self.pixels.shape[1], self.pixels.flatten()
        crops = images.index_select(2, places).index_select(3, places)
        crops = crops.reshape(-1, 3, GRID, side, GRID, side).permute(0, 2, 4, 1, 3, 5)
        alone = crops.reshape(-1, 3, side, side).contiguous(memory_format=torch.channels_last)
        maps = self.maps if torch.is_grad_enabled() else self.network.infer
        features = pool(maps(alone))
        return features.reshape(-1, GRID, GRID, features.shape[1]).permute(0, 3, 1, 2)


def crop_pixels(size: int, stride: int) -> Tensor:
    """Return the rows (or columns) of the image that each crop along a side shows, ``[GRID,side]``.

    A crop is centred on its cell. Its part outside of the image mirrors the one inside.
    """
    side = 3 * stride
    start = (torch.arange(GRID)[:, None] - 1) * stride
    mirrored = size - 1 - (size - 1 - (start + torch.arange(side)).abs()).abs()
    return mirrored.clamp(start.clamp(min=0), (start + side - 1).clamp(max=size - 1))
