"""How local a patch is: the part of an image that affects a prototype's similarity."""

import numpy as np
import torch

from twincam.explanations.prototypes.network import PrototypeNet
from twincam.explanations.prototypes.places import cell_centre
from twincam.files.shards import Rows

HELD = 0.5
"""Share of the gradient that the effective field holds."""


def effective_fields(net: PrototypeNet, images: Rows, patches: np.ndarray) -> np.ndarray:
    """Return, ``[P]``, each prototype's effective field: the side of a square in pixels.

    The smallest square, centred on the cell and cut at the image's border, with `HELD` of
    the absolute gradient of the prototype's similarity to its own patch. The receptive field is all
    that can affect a cell; most of the influence is near its middle (Luo et al., Understanding the
    Effective Receptive Field, NeurIPS 2016).

    Args:
        net: the prototype network.
        images: bytes ``[M,S,S,3]``.
        patches: row and cell of each prototype's patch, ``[P,3]``.
    """
    sides = []
    for prototype, (row, y, x) in enumerate(patches):
        pixels = torch.from_numpy(np.array(images[[row]])).to(net.device)
        inputs = net.normalise(pixels).requires_grad_()
        similar = net.similarities(net.trunk(inputs))[0, prototype, y, x]
        (gradient,) = torch.autograd.grad(similar, inputs)
        weight = gradient.abs().sum(dim=1)[0].cpu().numpy().astype(float)
        sides.append(_side(weight, cell_centre((y, x), net.field)))
    return np.array(sides)


def _side(weight: np.ndarray, centre: tuple[int, int]) -> int:
    rows, columns = np.indices(weight.shape)
    reach = np.maximum(abs(rows - centre[0]), abs(columns - centre[1]))
    held = np.bincount(reach.ravel(), weights=weight.ravel()).cumsum()
    return 2 * int(np.searchsorted(held, HELD * held[-1])) + 1
