"""One pass over the images: logits, pooled features, and the margin's heat maps of some."""

import numpy as np
from tqdm import tqdm

from twincam.explanations.gradcam import margin_maps
from twincam.models.forward import BATCH, batches, embed_batch
from twincam.models.network import Network


def embed(
    network: Network, images: np.ndarray, explained: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Run ``images`` through ``network``.

    Args:
        network: in evaluation mode.
        images: bytes ``[N,H,W,3]``.
        explained: bool ``[N]``, which images get a heat map.

    Returns:
        Logits ``[N,K]``, features ``[N,C]`` and signed margin maps ``[E,h,w]`` of the explained
        images, in order; float32.
    """
    weight = network.head.weight.detach().cpu().numpy()
    logits, features, cams = [], [], []
    for indices in tqdm(list(batches(len(images), BATCH)), "embed", disable=None):
        seen = embed_batch(network, images[indices])
        features.append(seen.features)
        logits.append(seen.logits)
        chosen = explained[indices]
        cams.append(margin_maps(seen.maps[chosen], weight, seen.logits[chosen]))
    return np.concatenate(logits), np.concatenate(features), np.concatenate(cams)
