"""A prototype network: cosine similarity of patches to prototypes, weights, a sum.

After Chen et al., This Looks Like That (NeurIPS 2019), with the cosine of Donnelly, Barnett & Chen
(Deformable ProtoPNet, CVPR 2022). Each prototype belongs to one class and has a weight of at least
0 for that class alone, so that a logit reads as a sum of similarities.

A patch is a cell of one block's output, or a crop that passes through all blocks by itself.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize, one_hot

from twincam.explanations.prototypes.crops import Crops
from twincam.explanations.prototypes.places import Field
from twincam.models.network import Network, receptive_field, standardise

INITIAL_WEIGHT = 20.0
"""Logit of a class whose prototypes all match perfectly, before the last layer is refitted."""


class PrototypeNet(nn.Module):
    """Blocks of a classifier, a 1x1 add-on, P prototypes, their weights and a bias for each class.

    It takes bytes and normalises them itself.

    Attributes:
        arch: the architecture that the trunk is taken from.
        classes: the K labels.
        after_block: the last block of the trunk; None for `Crops`.
        trunk: the blocks up to and including ``after_block``, or `Crops` alone; always in
            evaluation mode.
        field: the receptive fields of the cells.
        levels: how many levels the head of the classifier reads.
        last_block: the last block of the classifier, or None.
        add_on: maps patches ``[N,C,h,w]`` to ``[N,D,h,w]``.
        vectors: the prototypes ``[P,D]``, of any length: only their direction counts.
        mean: of the pixels that the trunk expects, ``[3]``, as shares of 255.
        std: their standard deviation, ``[3]``.
        owner: the class of each prototype, ``[P]``.
        weight: contribution of a similarity of 1 to its class's logit, ``[P]``, at least 0.
        bias: of each class, ``[K]``.
    """

    mean: Tensor
    std: Tensor
    owner: Tensor
    weight: Tensor
    bias: Tensor

    def __init__(
        self, network: Network, after_block: int | None, channels: int, per_class: int, size: int
    ) -> None:
        """Take the trunk from ``network``; add-on and prototypes still have to be initialised.

        ``size`` is the side of the images in pixels.
        """
        super().__init__()
        count = len(network.classes)
        self.arch, self.classes, self.after_block = network.arch, network.classes, after_block
        self.levels, self.last_block = len(network.levels), network.last_block
        if after_block is None:
            crops = Crops(network, size)
            self.trunk = nn.Sequential(crops)
            side, stride, first = crops.side, crops.stride, crops.side // 2
        else:
            self.trunk = network.blocks[: after_block + 1]
            side, stride = receptive_field(self.trunk, after_block)
            first = stride // 2
        probe = torch.zeros(1, 3, size, size, device=next(self.trunk.parameters()).device)
        with torch.no_grad():
            depth, cells = self.trunk.eval()(probe).shape[1:3]
        self.field = Field(side, stride, first, cells)
        self.add_on = nn.Conv2d(depth, channels, 1)
        self.vectors = nn.Parameter(torch.randn(count * per_class, channels))
        self.register_buffer("mean", torch.tensor(network.mean))
        self.register_buffer("std", torch.tensor(network.std))
        self.register_buffer("owner", torch.arange(count).repeat_interleave(per_class))
        self.register_buffer("weight", torch.full((len(self.owner),), INITIAL_WEIGHT / per_class))
        self.register_buffer("bias", torch.zeros(count))

    @property
    def device(self) -> torch.device:
        """The device that holds the network."""
        return self.bias.device

    @property
    def first_tuned(self) -> int:
        """The number of the first block of the trunk that joint training tunes; crops have none."""
        return len(self.trunk) if self.after_block is None else self.after_block

    def normalise(self, images: Tensor) -> Tensor:
        """Convert bytes ``[N,S,S,3]`` to the trunk's input ``[N,3,S,S]``."""
        return standardise(images, self.mean, self.std)

    def features(self, images: Tensor) -> Tensor:
        """Return the trunk's output ``[N,C,h,w]`` of bytes ``[N,S,S,3]``."""
        maps: Tensor = self.trunk(self.normalise(images))
        return maps

    def patches(self, features: Tensor) -> Tensor:
        """Return unit vectors ``[N,D,h,w]`` of the trunk's output ``[N,C,h,w]``."""
        return normalize(self.add_on(features), dim=1)

    def similarities(self, features: Tensor, vectors: Tensor | None = None) -> Tensor:
        """Return the cosines ``[N,P,h,w]`` of every patch and prototype (or ``vectors``)."""
        unit = normalize(self.vectors if vectors is None else vectors, dim=1)
        return torch.einsum("ndhw,pd->nphw", self.patches(features), unit)

    def forward(self, images: Tensor) -> Tensor:
        """Return the cosines ``[N,P,h,w]`` of every patch of bytes ``[N,S,S,3]``."""
        return self.similarities(self.features(images))

    def logits(self, best: Tensor) -> Tensor:
        """Return logits ``[N,K]`` of the best similarities ``[N,P]`` anywhere in each image."""
        return class_logits(best, self.owner, self.weight, self.bias)


class PrototypeGraph(nn.Module):
    """The cosines ``[N,P,h,w]`` of normalised images ``[N,3,S,S]``, to be exported."""

    def __init__(self, net: PrototypeNet) -> None:
        """Take the parts of ``net``."""
        super().__init__()
        self.net = net

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the cosines of every cell and prototype."""
        return self.net.similarities(self.net.trunk(inputs))


def class_logits(best: Tensor, owner: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Return logits ``[N,K]``: of each class the sum of similarity times weight, plus the bias.

    Args:
        best: best similarities ``[N,P]``.
        owner: the class of each prototype, ``[P]``.
        weight: of each prototype, ``[P]``.
        bias: of each class, ``[K]``.
    """
    return best * weight @ one_hot(owner, len(bias)).to(best.dtype) + bias
