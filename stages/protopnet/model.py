"""A prototype network: cosine similarity of patches to prototypes, points, a sum.

After Chen et al., This Looks Like That (NeurIPS 2019), with the cosine of Donnelly, Barnett & Chen
(Deformable ProtoPNet, CVPR 2022). Each prototype belongs to one class and can give points to that
class alone, never fewer than none, so that a decision reads as a sum of resemblances.
"""

import json
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from twincam.files.atomic import write_bytes
from twincam.models.network import Network

INITIAL_POINTS = 20.0
"""Logit of a class whose prototypes all match perfectly, before the last layer is refitted."""


class PrototypeNet(nn.Module):
    """Blocks of a classifier, a 1x1 add-on, P prototypes, points and bias.

    Attributes:
        trunk: blocks up to and including ``after_block``; always in evaluation mode.
        add_on: maps patches ``[N,C,h,w]`` to ``[N,D,h,w]``.
        vectors: the prototypes ``[P,D]``, of any length: only their direction counts.
        owner: the class of each prototype, ``[P]``.
        points: what a perfect match gives to the owner, ``[P]``, at least 0.
        bias: ``[K]``.
    """

    owner: Tensor
    points: Tensor
    bias: Tensor

    def __init__(self, network: Network, after_block: int, channels: int, per_class: int) -> None:
        """Take the trunk from ``network``; add-on and prototypes still have to be placed."""
        super().__init__()
        classes = len(network.classes)
        self.after_block = after_block
        self.trunk = network.blocks[: after_block + 1]
        probe = torch.zeros(1, 3, 64, 64, device=next(self.trunk.parameters()).device)
        with torch.no_grad():
            depth = self.trunk.eval()(probe).shape[1]
        self.add_on = nn.Conv2d(depth, channels, 1)
        self.vectors = nn.Parameter(torch.randn(classes * per_class, channels))
        self.register_buffer("owner", torch.arange(classes).repeat_interleave(per_class))
        self.register_buffer("points", torch.full((len(self.owner),), INITIAL_POINTS / per_class))
        self.register_buffer("bias", torch.zeros(classes))

    def patches(self, maps: Tensor) -> Tensor:
        """Return unit vectors ``[N,D,h,w]`` of the trunk's output ``[N,C,h,w]``."""
        return normalize(self.add_on(maps), dim=1)

    def similarities(self, maps: Tensor, vectors: Tensor | None = None) -> Tensor:
        """Return the cosines ``[N,P,h,w]`` of every patch and prototype (or ``vectors``)."""
        unit = normalize(self.vectors if vectors is None else vectors, dim=1)
        return torch.einsum("ndhw,pd->nphw", self.patches(maps), unit)

    def logits(self, best: Tensor) -> Tensor:
        """Return logits ``[N,K]`` of the best similarities ``[N,P]`` anywhere in each image."""
        own = nn.functional.one_hot(self.owner, len(self.bias)).to(best.dtype)
        return best * self.points @ own + self.bias


def save_prototype_net(path: Path, net: PrototypeNet, network: Network) -> None:
    """Write the weights and, as sorted JSON, what rebuilds the network."""
    about = {
        "format": "twincam-protopnet-1",
        "arch": network.arch,
        "classes": network.classes,
        "mean": network.mean,
        "std": network.std,
        "after_block": net.after_block,
    }
    state = {name: t.detach().cpu().contiguous() for name, t in net.state_dict().items()}
    metadata = {"twincam": json.dumps(about, sort_keys=True)}
    write_bytes(path, safetensors.torch.save(state, metadata=metadata))
