"""The images of a run, their masks and labels, and the prototype network's measurements."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from twincam.explanations.prototypes.measurements import Measurements, read_measurements
from twincam.files.shards import Rows, read_shards
from twincam.files.tables import EVALUATED_SPLITS, class_names, read_split


class Run(NamedTuple):
    """M images; row i of every table and array is image i.

    ``images`` bytes ``[M,S,S,3]``; ``masks`` of defects (or what a user marked), ``marks`` of
    planted marks and ``parts`` of the cat are ``[M,S,S]``, or ``[0,S,S]`` where none are known;
    ``labels`` ``[M]`` index ``classes``; ``train`` and ``evaluated`` are the rows of the training
    and of the evaluated images, whose ``measured`` similarities come from `protopnet`.
    """

    split: pd.DataFrame
    images: Rows
    masks: Rows
    marks: Rows
    parts: Rows
    classes: Sequence[str]
    labels: np.ndarray
    train: np.ndarray
    evaluated: np.ndarray
    measured: Measurements

    @property
    def train_labels(self) -> np.ndarray:
        """The class indices of the training images, ``[N]``."""
        return self.labels[self.train]

    @property
    def evaluated_labels(self) -> np.ndarray:
        """The class indices of the evaluated images, ``[V]``."""
        return self.labels[self.evaluated]

    @property
    def evaluated_split(self) -> pd.DataFrame:
        """The rows of the evaluated images, numbered from 0."""
        return self.split.iloc[self.evaluated].reset_index(drop=True)

    @property
    def marked(self) -> np.ndarray:
        """Whether the evaluated images carry a known mark, bool ``[V]``."""
        if not len(self.marks):
            return np.zeros(len(self.evaluated), bool)
        return np.array([self.marks[row].any() for row in self.evaluated])

    def maps(self, name: str, rows: np.ndarray) -> np.ndarray:
        """Return the maps ``name`` of ``rows``, ``[N,S,S]``, empty ones where none are known."""
        known, side = getattr(self, name), self.images.shape[1]
        return known[rows] if len(known) else np.zeros((len(rows), side, side), np.uint8)


def read_run(
    split_csv: Path, images: Path, masks: Path, marks: Path, parts: Path, measurements: Path
) -> Run:
    """Read what earlier stages wrote."""
    split = read_split(split_csv)
    classes = class_names(split)
    return Run(
        split,
        read_shards(images),
        read_shards(masks),
        read_shards(marks),
        read_shards(parts),
        classes=classes,
        labels=split["label"].map(classes.index).to_numpy(),
        train=np.flatnonzero(split["split"] == "train"),
        evaluated=np.flatnonzero(split["split"].isin(EVALUATED_SPLITS)),
        measured=read_measurements(measurements),
    )
