"""Which images are tried, and the classifier's logits for them under every condition."""

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
"""In a split of fewer images one of them decides: nothing is said."""


def choose(split: pd.DataFrame, most: int, seed: int) -> tuple[dict[str, np.ndarray], list[str]]:
    """Draw the images that are tried.

    Args:
        split: ``data/split.csv``.
        most: images of each evaluated split; 0 takes none.
        seed: of the draw.

    Returns:
        The rows to try of each split that has enough, and why others are skipped.
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
            reasons.append(f"{len(rows)} images in {name}; {FEWEST} are the fewest that say much")
    return chosen, reasons


def logits_by_condition(
    network: Network, images: np.ndarray, rows: np.ndarray, ids: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Run ``images[rows]`` through ``network`` as they are and under each of `CONDITIONS`.

    Args:
        network: in evaluation mode.
        images: bytes ``[M,S,S,3]``, read a batch at a time.
        rows: which of them, ``[N]``.
        ids: of the same N images.
        seed: of the noise.

    Returns:
        Logits ``[N,K]`` of the images as they are and ``[C,N,K]`` of the corrupted.
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

    The noise of an image depends on its id and on ``seed`` alone: it is the same at every severity,
    only stronger.
    """
    changed = [
        condition.apply(Image.fromarray(square), generator(seed, "noise", name))
        for square, name in zip(squares, ids, strict=True)
    ]
    return np.stack([np.asarray(image) for image in changed])
