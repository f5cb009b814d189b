"""Sample images, and run the classifier on them under every condition."""

from functools import partial

import numpy as np
import pandas as pd
from PIL import Image

from stages.robustness.ladders import CONDITIONS, Condition
from twincam.determinism import generator
from twincam.engine.mapping import map_in_order
from twincam.files.tables import EVALUATED_SPLITS
from twincam.models.forward import BATCH, batches, logits_of
from twincam.models.runtimes import Source, opened

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
    source: Source, rows: np.ndarray, ids: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Run images through the network unmodified and under each of `CONDITIONS`.

    Args:
        source: the network and M images.
        rows: which of them, ``[N]``.
        ids: of the same N images.
        seed: of the noise.

    Returns:
        Logits ``[N,K]`` of the unmodified and ``[C,N,K]`` of the corrupted images.
    """
    parts = [(rows[part], ids[part]) for part in batches(len(rows), BATCH)]
    found = map_in_order(partial(_batch_logits, source, seed), parts, source.run, "robustness")
    clean, corrupted = zip(*found, strict=True)
    return np.concatenate(clean), np.concatenate(corrupted, axis=1)


def _batch_logits(
    source: Source, seed: int, part: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    network, images = opened(source)
    rows, ids = part
    squares = images[rows]
    corrupted = [
        logits_of(network, corrupted_squares(squares, condition, ids, seed))
        for condition in CONDITIONS
    ]
    return logits_of(network, squares), np.stack(corrupted)


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
