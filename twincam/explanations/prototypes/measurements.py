"""The folder that a trained prototype network is evaluated from: all that needs its blocks.

Whatever depends on the last layer alone (removal, refit, evidence, most of the quality) follows
from these arrays without a forward pass.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from twincam.explanations.prototypes.best_cells import Matches
from twincam.files.arrays import read_finite, write_array
from twincam.files.tables import read_table, write_table


class Measurements(NamedTuple):
    """The trained network's results on N training and V evaluated images, with P prototypes.

    Attributes:
        sources: one row per prototype: ``row`` of its image, ``cell_y`` and ``cell_x`` of its
            patch, ``effective_field`` in pixels.
        train_similarity: best cosines of the training images, ``[N,P]``.
        train_cells: their cells, ``[N,P,2]``.
        evaluated_similarity: best cosines of the evaluated images, ``[V,P]``.
        evaluated_cells: their cells, ``[V,P,2]``.
        logits_before: of the evaluated images before projection, ``[V,K]``, with equal weights.
        logits_after: after projection and the tied epochs, before the refit, ``[V,K]``.
        kmeans_train: best cosines of the training images and prototypes that are k-means centres,
            projected but not trained, ``[N,P]``; owners as the network's.
        kmeans_evaluated: of the evaluated images, ``[V,P]``.
        sample: sorted positions among the evaluated images of the n that are examined in detail.
        sample_maps: their cosines in every cell, ``[n,P,h,w]``.
        noise_cells: the cells of their best cosines under Gaussian noise, ``[n,P,2]``.
        jpeg_similarity: their best cosines after re-compression as JPEG, ``[n,P]``.
        jpeg_cells: the cells of these, ``[n,P,2]``.
        blurred_anywhere: best cosines with a random square blurred, by repetition, ``[D,n,P]``.
        blurred_on_cat: the same with squares around random pixels of the cat, for those of the
            sample whose parts are known, ``[D,m,P]``.
        changed: a row for each evaluated image whose known mark was erased, or that a mark was
            added to: ``class_index``, ``change``.
        changed_similarity: best cosines of these, ``[R,P]``.
    """

    sources: pd.DataFrame
    train_similarity: np.ndarray
    train_cells: np.ndarray
    evaluated_similarity: np.ndarray
    evaluated_cells: np.ndarray
    logits_before: np.ndarray
    logits_after: np.ndarray
    kmeans_train: np.ndarray
    kmeans_evaluated: np.ndarray
    sample: np.ndarray
    sample_maps: np.ndarray
    noise_cells: np.ndarray
    jpeg_similarity: np.ndarray
    jpeg_cells: np.ndarray
    blurred_anywhere: np.ndarray
    blurred_on_cat: np.ndarray
    changed: pd.DataFrame
    changed_similarity: np.ndarray

    @property
    def train(self) -> Matches:
        """The matches of the training images."""
        return Matches(self.train_similarity, self.train_cells)

    @property
    def evaluated(self) -> Matches:
        """The matches of the evaluated images."""
        return Matches(self.evaluated_similarity, self.evaluated_cells)

    @property
    def patches(self) -> np.ndarray:
        """Row, cell row and cell column of each prototype's patch, ``[P,3]``."""
        return self.sources[["row", "cell_y", "cell_x"]].to_numpy()


TABLES = ("sources", "changed")


def write_measurements(folder: Path, measurements: Measurements) -> None:
    """Write each array and table into the existing ``folder``."""
    for name, value in measurements._asdict().items():
        if name in TABLES:
            write_table(folder / f"{name}.csv", value)
        else:
            write_array(folder / f"{name}.npy", value)


def read_measurements(folder: Path) -> Measurements:
    """Read what `write_measurements` wrote, arrays memory-mapped.

    Raises:
        UserError: a file is damaged, or a number in it is NaN or infinite.
    """
    found: dict[str, Any] = {}
    for name in Measurements._fields:
        file = folder / name
        if name in TABLES:
            found[name] = read_table(file.with_suffix(".csv"))
        else:
            found[name] = read_finite(file.with_suffix(".npy"))
    return Measurements(**found)
