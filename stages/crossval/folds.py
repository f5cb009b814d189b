"""Divide the training images into folds, stratified by class, with groups kept together."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold

from stages.crossval.params import Crossval
from twincam.determinism import derived_seed
from twincam.files.messages import INDEPENDENT
from twincam.training.refits import Refit


def too_few(train: pd.DataFrame, crossval: Crossval) -> str:
    """Return why the training images cannot be divided, or ""."""
    if not crossval.folds:
        return "crossval.folds is 0"
    groups = train.groupby("label")["group"].nunique()
    if groups.min() < crossval.folds:
        return (
            f"class {groups.idxmin()!r} has {groups.min()} {INDEPENDENT}, "
            f"crossval.folds={crossval.folds} needs at least as many"
        )
    return ""


def divide(train: pd.DataFrame, crossval: Crossval, seed: int) -> pd.DataFrame:
    """Return the fold of every image in every repeat.

    Args:
        train: ``id, label, group`` of the training images, indexed by their row of the images.
        crossval: how many folds and repeats.
        seed: of the folds.

    Returns:
        ``row, id, repeat, fold, label``; repeats and folds count from 1. No group is in two folds
        of a repeat.
    """
    tables = []
    for repeat in range(1, crossval.repeats + 1):
        state = derived_seed(seed, "crossval", repeat) % 2**32
        folds = StratifiedGroupKFold(crossval.folds, shuffle=True, random_state=state)
        for fold, (_, held_out) in enumerate(folds.split(train, train["label"], train["group"]), 1):
            part = train.iloc[held_out]
            places = {"row": part.index, "id": part["id"], "repeat": repeat, "fold": fold}
            tables.append(pd.DataFrame({**places, "label": part["label"]}))
    return pd.concat(tables, ignore_index=True)


def without_a_class(divided: pd.DataFrame) -> str:
    """Return why no network can be trained on the other folds of `divide`, or "".

    Where groups hold several classes, a fold may hold every image of a class.
    """
    for (repeat, fold), held_out in divided.groupby(["repeat", "fold"]):
        others = divided[(divided["repeat"] == repeat) & (divided["fold"] != fold)]
        if missing := sorted(set(held_out["label"]) - set(others["label"])):
            return (
                f"a fold holds every image of class {missing[0]!r}: their groups also hold images "
                "of other classes, so they cannot be divided evenly"
            )
    return ""


def refits(divided: pd.DataFrame) -> Iterator[Refit]:
    """Yield what to train on and what to score for every fold of `divide`, in its order."""
    for _, repeat in divided.groupby("repeat"):
        for _, held_out in repeat.groupby("fold"):
            train = np.setdiff1d(repeat["row"], held_out["row"])
            yield Refit(train, held_out["row"].to_numpy())
