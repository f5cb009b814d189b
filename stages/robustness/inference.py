"""Sample images, and run the classifier on them under every condition."""

import numpy as np
import pandas as pd
from PIL import Image
from tqdm import tqdm

from stages.robustness.ladders import CONDITIONS, Condition
from twincam.determinism import generator
from twincam.files.tables import EVALUATED_SPLITS
from twincam.models.forward import BATCH, batches, logits_of
from twincam.models.network import Network

FEWEST = 12
"""Fewest images in a split for a meaningful result."""


def choose(split: pd.DataFrame, most: int, seed: int) -> tuple[dict[str, np.ndarray], list[str]]:
    """Sample the images to corrupt.

    Args:
        split: ``data/split.csv``.
        most: images of each evaluated split; 0 takes none.
        seed: of the sampling.

    Returns:
        The sampled rows of each split that has enough, and why others are skipped.
    """
    if not most:
        return {}, ["robustness.images is 0"]
    chosen, reasons = {}, []
    for name in EVALUATED_SPLITS:
        rows = np.flatnonzero(split["split"] == name)
        if len(rows) >= FEWEST:
            order = generator(seed, "robustness", name).permutation(len(rows))
            chosen[name] = rows[np.sort(order[:most])]
        elif len(rows):
            reasons.append(f"{len(rows)} images in {name}; at least {FEWEST} are needed")
    return chosen, reasons


def logits_by_condition(
    network: Network, images: np.ndarray, rows: np.ndarray, ids: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Run ``images[rows]`` through ``network`` unmodified and under each of `CONDITIONS`.

    Args:
        network: in evaluation mode.
        images: bytes ``[M,S,S,3]``, read a batch at a time.
        rows: which of them, ``[N]``.
        ids: of the same N images.
        seed: of the noise.

    Returns:
        Logits ``[N,K]`` of the unmodified and ``[C,N,K]`` of the corrupted images.
    """
    clean, corrupted = [], []
    for indices in tqdm(list(batches(len(rows), BATCH)), "robustness", disable=None):
        squares = images[rows[indices]]
        clean.append(logits_of(network, squares))
        corrupted.append(
            [
                logits_of(network, corrupted_squares(squares, condition, ids[indices], seed))
                for condition in CONDITIONS
            ]
        )
    return np.concatenate(clean), np.concatenate(corrupted, axis=1)


def corrupted_squares(
    squares: np.ndarray, condition: Condition, ids: np.ndarray, seed: int
) -> np.ndarray:
    """Return bytes ``[B,S,S,3]`` under ``condition``.

    The noise of an image depends only on its id and on ``seed``: it is the same at every severity,
    only scaled.
    """
    changed = [
        condition.apply(Image.fromarray(square), generator(seed, "noise", name))
        for square, name in zip(squares, ids, strict=True)
    ]
    return np.stack([np.asarray(image) for image in changed])
