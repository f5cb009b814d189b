"""Which images are excluded from training together, and which remain."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from twincam.files.tables import EVALUATED_SPLITS
from twincam.training.refits import Refit


class LeftOut(NamedTuple):
    """One source: what to train on, what to score, and which scored images are the source's."""

    name: str
    refit: Refit
    own: np.ndarray


def names(split: pd.DataFrame, by: str) -> list[str]:
    """Return the sources (or families) in the order in which they are excluded.

    Classes take turns, each with the source that has most of its images.
    """
    named = split[split[by] != ""]
    counts = named.groupby(["label", by]).size().rename("images").reset_index()
    counts = counts.sort_values(["images", by], ascending=[False, True])
    counts["turn"] = counts.groupby("label").cumcount()
    counts = counts.sort_values(["turn", "images", by], ascending=[True, False, True])
    return list(dict.fromkeys(counts[by]))


def leave_out(split: pd.DataFrame, by: str, name: str) -> LeftOut | None:
    """Return how to train without one source; None if a class would have no images left.

    Its images and all images in their groups (copies, partners) are excluded. All its images are
    scored, whatever their split, and also the evaluated images of the other sources.
    """
    own = (split[by] == name).to_numpy()
    touched = split["group"].isin(split.loc[own, "group"]).to_numpy()
    train = (split["split"] == "train").to_numpy() & ~touched
    if split.loc[train, "label"].nunique() < split["label"].nunique():
        return None
    score = own | split["split"].isin(EVALUATED_SPLITS).to_numpy()
    rows = np.flatnonzero(score)
    return LeftOut(name, Refit(np.flatnonzero(train), rows), own[rows])
