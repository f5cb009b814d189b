"""What draws prototypes to their class, away from others, and apart from each other.

The usual ``max(similarity * mask)`` over a class's prototypes has a gradient of exactly zero when
all of their similarities are negative, since the masked zeros win; here the others are masked
with minus infinity.
"""

import torch
from torch import Tensor
from torch.nn.functional import normalize


def cluster_loss(best: Tensor, owner: Tensor, labels: Tensor) -> Tensor:
    """Return one minus the mean cosine to the nearest prototype of the own class.

    Args:
        best: best similarities ``[N,P]``.
        owner: the class of each prototype, ``[P]``.
        labels: ``[N]``.
    """
    own = owner == labels[:, None]
    return 1 - best.masked_fill(~own, -torch.inf).amax(dim=1).mean()


def separation_loss(best: Tensor, owner: Tensor, labels: Tensor) -> Tensor:
    """Return the mean cosine to the nearest prototype of any other class; arguments as above."""
    own = owner == labels[:, None]
    return best.masked_fill(own, -torch.inf).amax(dim=1).mean()


def anchor_loss(best: Tensor, owner: Tensor, labels: Tensor) -> Tensor:
    """Return one minus the mean cosine of each prototype to its nearest patch in the own class.

    Keeps prototypes where there are patches, so that projection moves them little (the first
    interpretability term of Li et al., AAAI 2018); arguments as above, every class present.
    """
    own = owner == labels[:, None]
    return 1 - best.masked_fill(~own, -torch.inf).amax(dim=0).mean()


def diversity_loss(vectors: Tensor, owner: Tensor, max_cosine: float) -> Tensor:
    """Return by how much pairs of a class exceed ``max_cosine``, summed for each prototype.

    Args:
        vectors: ``[P,D]``.
        owner: ``[P]``.
        max_cosine: pairs further apart than this cost nothing.
    """
    unit = normalize(vectors, dim=1)
    pairs = (owner[:, None] == owner) & ~torch.eye(len(owner), dtype=torch.bool).to(owner.device)
    excess = (unit @ unit.T - max_cosine).clamp(min=0)
    return (excess * pairs).sum() / len(owner)
