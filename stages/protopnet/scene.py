"""What the stage knows of the images, in one place."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from twincam.files.arrays import read_array
from twincam.files.tables import EVALUATED_SPLITS, class_names, read_split


class Scene(NamedTuple):
    """M images with what is known of them; row i of every table and array is image i.

    ``images`` bytes ``[M,S,S,3]``; ``masks`` of defects (or what a user marked), ``marks`` of
    planted marks and ``parts`` of the cat are ``[M,S,S]``, or ``[0,S,S]`` where nothing is known;
    ``labels`` ``[M]`` index ``classes``; ``train`` and ``watched`` are the rows that are learnt
    from and evaluated.
    """

    split: pd.DataFrame
    images: np.ndarray
    masks: np.ndarray
    marks: np.ndarray
    parts: np.ndarray
    classes: list[str]
    labels: np.ndarray
    train: np.ndarray
    watched: np.ndarray

    @property
    def truth(self) -> np.ndarray:
        """The labels of the evaluated images, ``[V]``."""
        return self.labels[self.watched]

    @property
    def marked(self) -> np.ndarray:
        """Whether the evaluated images carry a known mark, bool ``[V]``."""
        if not len(self.marks):
            return np.zeros(len(self.watched), bool)
        return np.array([self.marks[row].any() for row in self.watched])

    def maps(self, name: str, rows: np.ndarray) -> np.ndarray:
        """Return the maps ``name`` of ``rows``, ``[N,S,S]``, empty ones where nothing is known."""
        known, size = getattr(self, name), self.images.shape[1]
        return known[rows] if len(known) else np.zeros((len(rows), size, size), np.uint8)


def read_scene(split_csv: Path, images: Path, masks: Path, marks: Path, parts: Path) -> Scene:
    """Read what earlier stages wrote."""
    split = read_split(split_csv)
    classes = class_names(split)
    return Scene(
        split,
        read_array(images),
        read_array(masks),
        read_array(marks),
        read_array(parts),
        classes=classes,
        labels=split["label"].map(classes.index).to_numpy(),
        train=np.flatnonzero(split["split"] == "train"),
        watched=np.flatnonzero(split["split"].isin(EVALUATED_SPLITS)),
    )
