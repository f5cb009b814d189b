"""The similarities of untrained prototypes: k-means centres, projected onto patches."""

import numpy as np

from stages.protopnet.examples import Examples
from stages.protopnet.params import ProtoPNet
from stages.protopnet.placement import initial_net
from stages.protopnet.projection import project
from twincam.explanations.prototypes.matches import best_similarities
from twincam.models.network import Network


def k_means_similarities(
    network: Network, examples: Examples, settings: ProtoPNet, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return best similarities of the training ``[N,P]`` and the evaluated images ``[V,P]``.

    The prototypes are initialised and projected like the prototype network's; only the training
    between is skipped.

    Args:
        network: the fine-tuned classifier, before joint training has changed its blocks; it is not
            changed.
        examples: the images.
        settings: block ``protopnet``.
        seed: of k-means.
    """
    net = initial_net(network, examples, settings, seed)
    project(net, examples)
    train, evaluated = (
        best_similarities(net, examples.images, rows)
        for rows in (examples.train, examples.evaluated)
    )
    return train, evaluated
