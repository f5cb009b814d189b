"""One pass over the images: logits, pooled features, and the margin's heat maps of some."""

from functools import partial

import numpy as np

from twincam.engine.mapping import map_in_order
from twincam.explanations.gradcam import margin_maps
from twincam.models.embedded import join_rows, maps_at
from twincam.models.forward import BATCH, batches, embed_batch
from twincam.models.runtimes import Source, opened

Embeddings = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Logits ``[N,K]``, features ``[N,C]`` and the maps ``[E,h,w]`` of the E explained images."""


def embed(source: Source, explained: np.ndarray) -> Embeddings:
    """Run the images of ``source`` through its network.

    Args:
        source: the network and N images.
        explained: bool ``[N]``, which images get a heat map.

    Returns:
        Logits ``[N,K]``, features ``[N,C]`` and signed margin maps ``[E,h,w]`` of the explained
        images, in order; float32.
    """
    parts = list(batches(len(explained), BATCH))
    found = map_in_order(partial(_embed_rows, source, explained), parts, source.run, "embed")
    counts = [len(explained), len(explained), int(explained.sum())]
    logits, features, cams = join_rows(found, counts)
    return logits, features, cams


def _embed_rows(source: Source, explained: np.ndarray, rows: np.ndarray) -> Embeddings:
    network, images = opened(source)
    weight = network.head.weight.detach().cpu().numpy()
    found, chosen = embed_batch(network, images[rows]), explained[rows]
    cams = margin_maps(maps_at(found.maps, chosen), weight, found.logits[chosen])
    return found.logits, found.features, cams
