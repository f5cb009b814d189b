"""Overlapping crops of an image, each seen by itself by all blocks of a classifier."""

import torch
from torch import Tensor, nn

from twincam.models.network import Network, maps_of, pool

GRID = 5
"""Crops along each side of an image."""

OVERLAP = 3
"""A crop's side, in steps from one crop to the next."""

TOGETHER = 160
"""Crops in a forward pass: about the pixels of 30 images, as more would take more memory."""


class Crops(nn.Module):
    """All blocks of a classifier, as a trunk whose cells are crops of the image.

    Each crop passes through the blocks by itself and is pooled as the classifier's head expects, so
    its features are the deepest, and nothing outside of it affects them (as in BagNet, Brendel and
    Bethge, ICLR 2019, but with the weights of an ordinary network). Crops overlap by two thirds and
    lie inside the image. Where no gradients are needed, the network's own ``infer`` runs the
    blocks, which may be compiled.
    """

    pixels: Tensor

    def __init__(self, network: Network, size: int) -> None:
        """Share the blocks of ``network``, for images of ``size`` pixels a side."""
        super().__init__()
        self.network, self.maps = network, maps_of(network)
        self.stride = size // (GRID + OVERLAP - 1)
        self.side = size - (GRID - 1) * self.stride
        starts = self.stride * torch.arange(GRID)[:, None]
        self.register_buffer("pixels", starts + torch.arange(self.side), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Return the pooled features ``[N,C,h,w]`` of normalised images ``[N,3,S,S]``."""
        places = self.pixels.flatten()
        crops = images.index_select(2, places).index_select(3, places)
        crops = crops.reshape(-1, 3, GRID, self.side, GRID, self.side).permute(0, 2, 4, 1, 3, 5)
        alone = crops.reshape(-1, 3, self.side, self.side)
        maps = self.maps if torch.is_grad_enabled() else self.network.infer
        parts = (alone,) if torch.jit.is_tracing() else alone.split(TOGETHER)
        features = torch.cat(
            [pool(maps(part.contiguous(memory_format=torch.channels_last))) for part in parts]
        )
        return features.reshape(-1, GRID, GRID, features.shape[1]).permute(0, 3, 1, 2)
