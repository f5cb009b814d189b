"""One pass over the images: logits, pooled features, and the margin's heat maps where asked."""

import numpy as np
import torch
from tqdm import tqdm

from stages.common.backbones import Network, pool
from stages.common.fitting import BATCH, batches, run_blocks
from stages.common.gradcam import margin_maps


@torch.no_grad()
def embed(
    network: Network, images: np.ndarray, explained: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Run ``images`` through ``network``.

    Args:
        network: in evaluation mode.
        images: bytes ``[N,H,W,3]``.
        explained: bool ``[N]``, which images get a heat map.

    Returns:
        Logits ``[N,K]``, features ``[N,C]``, signed margin maps ``[E,h,w]`` of the explained
        images in their order; float32.
    """
    weight = network.head.weight.detach().cpu().numpy()
    logits, features, cams = [], [], []
    for indices in tqdm(list(batches(len(images), BATCH)), "embed", disable=None):
        maps = run_blocks(network, images[indices], len(network.blocks))
        pooled = pool(maps)
        features.append(pooled.cpu().numpy())
        logits.append(network.head(pooled).cpu().numpy())
        chosen = explained[indices]
        cams.append(margin_maps(maps.cpu().numpy()[chosen], weight, logits[-1][chosen]))
    return np.concatenate(logits), np.concatenate(features), np.concatenate(cams)
