"""Measure what needs the network's blocks, so that changing the last layer repeats nothing."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from stages.protopnet.examples import Examples
from stages.protopnet.locality import effective_fields
from stages.protopnet.marks import changed_pictures
from stages.protopnet.training import Trained
from twincam.corruptions import jpeg, noise
from twincam.determinism import generator
from twincam.explanations.prototypes.deletion import similarities_without, square_side
from twincam.explanations.prototypes.matches import (
    Matches,
    best_matches,
    best_similarities,
    similarity_maps,
)
from twincam.explanations.prototypes.measurements import Measurements
from twincam.explanations.prototypes.network import PrototypeNet
from twincam.files.shards import Rows

MOST = 200
"""The most evaluated images that are examined in detail; chosen at random."""

DEVIATION = 12
"""Grey levels of the Gaussian noise that stability is measured with."""

QUALITY = 50
"""Quality of the JPEG that decisions are tested with."""

DRAWS = 3
"""Random squares that a control is averaged over."""


def measure(
    trained: Trained,
    k_means: tuple[np.ndarray, np.ndarray],
    examples: Examples,
    marks: Rows,
    parts: Rows,
    seed: int,
) -> Measurements:
    """Return everything that later stages need from the network's blocks.

    Args:
        trained: the network and its steps.
        k_means: best similarities of the training and evaluated images to untrained prototypes.
        examples: the images.
        marks: known marks of the images, ``[M,S,S]``, or ``[0,S,S]``.
        parts: known parts of the cats, the same.
        seed: of noise and random choices.
    """
    net, images, evaluated = trained.net, examples.images, examples.evaluated
    row, y, x = trained.patches.T
    fields = effective_fields(net, images, trained.patches)
    sample = np.sort(generator(seed, "quality").permutation(len(evaluated))[:MOST])
    rows = evaluated[sample]
    noisy, compressed = (
        changed_matches(net, images, rows, change) for change in (noised(seed), compressed_jpeg)
    )
    changed, similarity = changed_similarities(net, examples, marks, seed)
    return Measurements(
        sources=pd.DataFrame({"row": row, "cell_y": y, "cell_x": x, "effective_field": fields})
        .rename_axis("prototype")
        .reset_index(),
        train_similarity=trained.train.similarity,
        train_cells=trained.train.cells,
        evaluated_similarity=trained.evaluated.similarity,
        evaluated_cells=trained.evaluated.cells,
        logits_before=trained.before,
        logits_after=trained.after,
        kmeans_train=k_means[0],
        kmeans_evaluated=k_means[1],
        sample=sample,
        sample_maps=np.concatenate(list(similarity_maps(net, images, rows))),
        noise_cells=noisy.cells,
        jpeg_similarity=compressed.similarity,
        jpeg_cells=compressed.cells,
        **blurred_similarities(net, images, rows, parts, seed),
        changed=changed,
        changed_similarity=similarity,
    )


Change = Callable[[Image.Image, int], Image.Image]
"""An image and its row to the changed image."""


def noised(seed: int) -> Change:
    """Return the change that adds Gaussian noise of `DEVIATION`, different for each row."""
    return lambda image, row: noise(image, DEVIATION, generator(seed, "quality noise", row))


def compressed_jpeg(image: Image.Image, _row: int) -> Image.Image:
    """Re-compress ``image`` as JPEG of `QUALITY`."""
    return jpeg(image, QUALITY)


def changed_matches(net: PrototypeNet, images: Rows, rows: np.ndarray, change: Change) -> Matches:
    """Return the matches of ``images[rows]``, each of them changed."""
    changed = [np.asarray(change(Image.fromarray(images[row]), int(row))) for row in rows]
    return best_matches(net, np.stack(changed), np.arange(len(rows)))


def blurred_similarities(
    net: PrototypeNet, images: Rows, rows: np.ndarray, parts: Rows, seed: int
) -> dict[str, Any]:
    """Return `Measurements.blurred_anywhere` and `Measurements.blurred_on_cat` of ``images[rows]``.

    Args:
        net: the network.
        images: bytes ``[M,S,S,3]``.
        rows: of the sample, ``[n]``.
        parts: known parts of the cats, ``[M,S,S]`` or ``[0,S,S]``.
        seed: of the squares' places.
    """
    size, side = images.shape[1], square_side(images.shape[1])
    with_cat = np.array([row for row in rows if len(parts) and parts[row].any()], int)

    def anywhere(draw: int) -> np.ndarray:
        rng = generator(seed, "deletion anywhere", draw)
        return rng.integers(0, size - side + 1, (len(rows), 2)) + side // 2

    def on_cat(draw: int) -> np.ndarray:
        rng = generator(seed, "deletion on cat", draw)
        pixels = [rng.choice(np.flatnonzero(parts[row])) for row in with_cat]
        return np.stack(np.divmod(np.array(pixels, int), size), axis=1)

    return {
        name: np.stack(
            [similarities_without(net, images, some, place(draw)) for draw in range(DRAWS)]
        )
        for name, some, place in (
            ("blurred_anywhere", rows, anywhere),
            ("blurred_on_cat", with_cat, on_cat),
        )
    }


def changed_similarities(
    net: PrototypeNet, examples: Examples, marks: Rows, seed: int
) -> tuple[pd.DataFrame, np.ndarray]:
    """Return `Measurements.changed` and `Measurements.changed_similarity`.

    Args:
        net: the network.
        examples: the images.
        marks: known marks, ``[M,S,S]`` or ``[0,S,S]``.
        seed: of the choices.
    """
    pictures = changed_pictures(
        examples.images, marks, examples.evaluated, examples.evaluated_labels, seed
    )
    kinds = [case for case, made in pictures.items() for _ in made]
    best = [best_similarities(net, made, np.arange(len(made))) for made in pictures.values()]
    empty = np.zeros((0, len(net.owner)), np.float32)
    return pd.DataFrame(kinds, columns=["class_index", "change"]), np.concatenate([empty, *best])
