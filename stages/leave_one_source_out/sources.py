"""Which images are left out of training together, and what remains to learn from."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from stages.leave_one_source_out.params import LeaveOneSourceOut
from twincam.files.tables import EVALUATED_SPLITS
from twincam.training.refits import Refit


class LeftOut(NamedTuple):
    """One source: what to learn from, what to score, and which of the scored are the source's."""

    name: str
    refit: Refit
    own: np.ndarray


def names(split: pd.DataFrame, leave_one_source_out: LeaveOneSourceOut) -> list[str]:
    """Return what to leave out in turn: the sources (or families) with most images first."""
    column = split[leave_one_source_out.by]
    counts = column[column != ""].value_counts()
    return sorted(counts.index, key=lambda name: (-counts[name], name))[
        : leave_one_source_out.max_sources
    ]


def leave_out(split: pd.DataFrame, by: str, name: str) -> LeftOut | None:
    """Return how to train without one source; None if a class would be left without images.

    Neither its images nor any image of their groups (copies, partners) train. All its images are
    scored, whatever their split, and besides them the evaluated ones of the other sources.
    """
    own = (split[by] == name).to_numpy()
    touched = split["group"].isin(split.loc[own, "group"]).to_numpy()
    learn = (split["split"] == "train").to_numpy() & ~touched
    if split.loc[learn, "label"].nunique() < split["label"].nunique():
        return None
    score = own | split["split"].isin(EVALUATED_SPLITS).to_numpy()
    rows = np.flatnonzero(score)
    return LeftOut(name, Refit(np.flatnonzero(learn), rows), own[rows])
