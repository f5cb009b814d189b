"""The networks of a pack, compiled, and what they find in a picture."""

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from twincam.explainer.pack import Pack, Settings
from twincam.explanations.prototypes.best_cells import Matches, strongest_cells
from twincam.files.errors import UserError
from twincam.models.embedded import Embedded
from twincam.models.sessions import INPUTS, open_session

if TYPE_CHECKING:
    from onnxruntime import InferenceSession


class Networks(NamedTuple):
    """The classifier's blocks and the prototype network, each for one image at a time.

    A batch takes as long, and its memory has to be cleared first.
    """

    classifier: "InferenceSession"
    prototypes: "InferenceSession"


def open_networks(pack: Pack, threads: int) -> Networks:
    """Compile the networks of ``pack``; a forward pass uses ``threads`` threads."""
    graphs = pack.graph, pack.prototypes.graph
    with ThreadPoolExecutor(len(graphs)) as pool:
        return Networks(*pool.map(open_session, graphs, (1, 1), (threads, threads)))


def inputs_of(squares: np.ndarray, settings: Settings) -> np.ndarray:
    """Return bytes ``[N,S,S,3]`` as normalised float32 ``[N,3,S,S]``."""
    mean, std = (np.array(part, np.float32) for part in (settings.mean, settings.std))
    pixels = (squares.astype(np.float32) / 255 - mean) / std
    return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))


def embed_deliveries(networks: Networks, inputs: np.ndarray, pack: Pack) -> Embedded:
    """Return maps, features and logits of the deliveries of one picture, ``[D,3,S,S]``.

    Raises:
        UserError: a logit is NaN or infinite.
    """
    each = [networks.classifier.run(None, {INPUTS: one[None]}) for one in inputs]
    maps = tuple(map(np.concatenate, zip(*each, strict=True)))
    features = np.hstack([level.mean(axis=(2, 3)) for level in maps])
    logits = features @ pack.head.weight.T + pack.head.bias
    if not np.isfinite(logits).all():
        raise UserError(
            "the classifier gives logits that are not finite, expected numbers; train again with a "
            "lower train.learning_rate"
        )
    return Embedded(maps, features, logits, features.shape[1] - maps[-1].shape[1])


def match_prototypes(networks: Networks, inputs: np.ndarray) -> Matches:
    """Return the best cosines ``[1,P]`` of one picture ``[1,3,S,S]``, and their cells."""
    (cosines,) = networks.prototypes.run(None, {INPUTS: inputs})
    return strongest_cells(cosines)
