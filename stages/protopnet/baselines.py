"""What prototypes that are not trained resemble: k-means centres, projected onto patches."""

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

    The prototypes start as the prototype network's do and are projected onto patches as its are;
    only the training between is skipped.

    Args:
        network: the fine-tuned classifier, before joint training has changed its blocks; it stays
            as it is.
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
