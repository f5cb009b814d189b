"""A decision as a sum: which patches resembled which prototypes, and what each contributed."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from twincam.explanations.prototypes.best_cells import Matches

if TYPE_CHECKING:
    from twincam.explanations.prototypes.network import PrototypeNet

TOP = 3
"""Contributions listed one by one; the others are summed."""


class LastLayer(NamedTuple):
    """The class ``owner`` ``[P]`` and ``weight`` ``[P]`` of prototypes, and ``bias`` ``[K]``."""

    owner: np.ndarray
    weight: np.ndarray
    bias: np.ndarray

    @property
    def live(self) -> np.ndarray:
        """Positions of the prototypes whose weight is above 0."""
        return np.flatnonzero(self.weight > 0)


def last_layer(net: "PrototypeNet") -> LastLayer:
    """Return the last layer of ``net`` as arrays."""
    return LastLayer(*(tensor.cpu().numpy() for tensor in (net.owner, net.weight, net.bias)))


def set_last_layer(net: "PrototypeNet", layer: LastLayer) -> None:
    """Set the weights and the bias of ``net`` to those of ``layer``."""
    import torch

    net.weight.copy_(torch.from_numpy(layer.weight))
    net.bias.copy_(torch.from_numpy(layer.bias))


def layer_logits(layer: LastLayer, best: np.ndarray) -> np.ndarray:
    """Return the logits ``[N,K]`` of best similarities ``[N,P]``."""
    owners = np.eye(len(layer.bias), dtype=best.dtype)[layer.owner]
    return np.asarray(best * layer.weight @ owners + layer.bias)


class Contribution(NamedTuple):
    """What the match of one prototype at ``cell`` ``[2]`` adds: ``similarity`` x ``weight``."""

    prototype: int
    cell: np.ndarray
    similarity: float
    weight: float
    value: float


class Decomposition(NamedTuple):
    """One class's logit as a sum: the largest contributions, ``others`` more, the bias."""

    owner: int
    largest: list[Contribution]
    others: int
    others_sum: float
    bias: float

    @property
    def logit(self) -> float:
        """The sum."""
        return sum(one.value for one in self.largest) + self.others_sum + self.bias


def decompose(matches: Matches, n: int, layer: LastLayer, owner: int) -> Decomposition:
    """Return the decomposition of the logit of class ``owner`` for one image.

    Args:
        matches: of all images.
        n: the image's position among them.
        layer: the weights.
        owner: index of the class.
    """
    similarity, cells = matches.similarity[n], matches.cells[n]
    live = layer.live[layer.owner[layer.live] == owner]
    values = similarity[live].astype(float) * layer.weight[live]
    order = np.argsort(-values, kind="stable")
    largest = [
        Contribution(int(p), cells[p], float(similarity[p]), float(layer.weight[p]), float(value))
        for p, value in zip(live[order[:TOP]], values[order[:TOP]], strict=True)
    ]
    rest = values[order[TOP:]]
    return Decomposition(owner, largest, len(rest), float(rest.sum()), float(layer.bias[owner]))
