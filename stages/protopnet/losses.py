"""What pulls prototypes to their class, away from others, and apart from each other.

The usual ``max(similarity * mask)`` over a class's prototypes has a gradient of exactly zero when
all of their similarities are negative, since the masked zeros win; here the others are masked
with minus infinity.
"""

from functools import reduce
from operator import add

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, cross_entropy, normalize

from stages.protopnet.params import ProtoPNet
from twincam.explanations.prototypes.network import PrototypeNet

TEMPERATURE = 0.1
"""Temperature of the softmax over cells: a cosine 0.1 below the best has a third of its weight."""

TERMS = ("cross_entropy", "cluster", "anchor", "separation", "overlap", "diversity")
"""The names of the loss's terms."""


def prototype_loss(
    net: PrototypeNet, vectors: Tensor, similar: Tensor, labels: Tensor, settings: ProtoPNet
) -> dict[str, Tensor]:
    """Return the `TERMS` of the loss, each with its weight, and their sum, ``total``.

    Args:
        net: gives weights and owners.
        vectors: the prototypes ``[P,D]``.
        similar: similarities ``[N,P,h,w]``.
        labels: ``[N]``.
        settings: the weights of the terms.
    """
    best, owner = similar.amax(dim=(2, 3)), net.owner
    terms = (
        cross_entropy(net.logits(best), labels),
        settings.cluster * cluster_loss(best, owner, labels),
        settings.anchor * anchor_loss(best, owner, labels),
        settings.separation * separation_loss(best, owner, labels),
        settings.overlap * overlap_loss(similar, owner, labels),
        settings.diversity * diversity_loss(vectors, owner, settings.max_cosine),
    )
    return {**dict(zip(TERMS, terms, strict=True)), "total": reduce(add, terms)}


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

    Keeps prototypes near patches, so that projection changes them little (the first
    interpretability term of Li et al., AAAI 2018); arguments as above, every class present.
    """
    own = owner == labels[:, None]
    return 1 - best.masked_fill(~own, -torch.inf).amax(dim=0).mean()


def overlap_loss(similar: Tensor, owner: Tensor, labels: Tensor) -> Tensor:
    """Return the probability that two prototypes of the own class match the same place.

    A prototype's place is a cell sampled by the softmax of its similarities; two are the same if
    they touch, as neighbours have nearly the same receptive field. Without this loss one striking
    feature (a watermark, for example) is represented by several prototypes, and a person cannot
    remove it without removing everything else they represent. Mean over images and pairs; 0 for a
    single prototype.

    Args:
        similar: similarities ``[N,P,h,w]``.
        owner: the class of each prototype, ``[P]``.
        labels: ``[N]``.
    """
    places = (similar.flatten(2) / TEMPERATURE).softmax(dim=2).view_as(similar)
    around = 9 * avg_pool2d(places, 3, stride=1, padding=1)
    shares = []
    for name in labels.unique():
        one, other = (part[labels == name][:, owner == name] for part in (places, around))
        met = torch.einsum("nphw,nqhw->npq", one, other)
        count = met.shape[1]
        pairs = ~torch.eye(count, dtype=torch.bool, device=met.device)
        shares.append((met * pairs).sum(dim=(1, 2)) / max(1, count * (count - 1)))
    return torch.cat(shares).mean()


def diversity_loss(vectors: Tensor, owner: Tensor, max_cosine: float) -> Tensor:
    """Return by how much pairs of a class exceed ``max_cosine``, summed for each prototype.

    Args:
        vectors: ``[P,D]``.
        owner: ``[P]``.
        max_cosine: pairs below it cost nothing.
    """
    unit = normalize(vectors, dim=1)
    pairs = (owner[:, None] == owner) & ~torch.eye(len(owner), dtype=torch.bool).to(owner.device)
    excess = (unit @ unit.T - max_cosine).clamp(min=0)
    return (excess * pairs).sum() / len(owner)
