"""How faithful a space is: do the nearest images in it follow the model?

Kenny & Keane, Twin-Systems to Explain Artificial Neural Networks using Case-Based Reasoning
(IJCAI 2019): a twin explains only as far as its neighbourhood follows the model.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from twincam.explanations.twins.neighbours import vote
from twincam.explanations.twins.spaces import SPACES
from twincam.statistics.estimates import mean, share
from twincam.statistics.margins import margin_classes, margins
from twincam.statistics.ranking import auc

ASKED = 5
"""Neighbours whose vote and margin a space is evaluated by."""


def fidelity(
    near: np.ndarray, query_logits: np.ndarray, logits: np.ndarray, labels: np.ndarray
) -> pd.DataFrame:
    """Return how well the `ASKED` nearest references follow the model, a row for each query.

    ``agrees``: their vote is the prediction. ``disagreement``: the share of them with another
    label. ``margin``: the query's; ``neighbours_margin``: their mean, between the same two classes;
    ``chance_margin``: the mean of all references'.

    Args:
        near: positions of the references nearest to each query, ``[Q,ASKED]``.
        query_logits: ``[Q,K]``.
        logits: of the references, ``[T,K]``.
        labels: of the references, class indices ``[T]``.
    """
    predicted, rival = margin_classes(query_logits)
    neighbours, average = logits[near], logits.mean(axis=0)
    return pd.DataFrame(
        {
            "agrees": vote(labels[near]) == predicted,
            "disagreement": (labels[near] != predicted[:, None]).mean(axis=1),
            "margin": margins(query_logits),
            "neighbours_margin": (
                np.take_along_axis(neighbours, predicted[:, None, None], axis=2)
                - np.take_along_axis(neighbours, rival[:, None, None], axis=2)
            ).mean(axis=(1, 2)),
            "chance_margin": average[predicted] - average[rival],
        }
    )


def fidelity_figures(table: pd.DataFrame, wrong: np.ndarray, seed: int) -> dict[str, Any]:
    """Return the figures of a space from its rows of `fidelity`.

    ``agreement``: share of queries whose neighbours vote as the model predicts. ``margin_mae``:
    mean absolute error, in logits, of the neighbours' mean margin as an estimate of the query's,
    next to that of the mean of all references (``margin_mae_chance``). ``disagreement_auroc``: how
    well the share of disagreeing neighbours ranks wrong predictions above correct ones; absent
    where all or none are wrong.

    Args:
        table: of `fidelity`.
        wrong: bool ``[Q]``, whether the prediction is.
        seed: of the bootstrap.
    """
    margin, near, chance_margin = (
        table[name].to_numpy(float) for name in ("margin", "neighbours_margin", "chance_margin")
    )
    figures: dict[str, Any] = {
        "n": len(table),
        "wrong": int(wrong.sum()),
        "agreement": share(table["agrees"].to_numpy(float)),
        "margin_mae": mean(np.abs(near - margin), seed, "margin error"),
        "margin_mae_chance": float(np.abs(chance_margin - margin).mean()),
    }
    if 0 < wrong.sum() < len(wrong):
        figures["disagreement_auroc"] = auc(wrong, table["disagreement"].to_numpy(float))
    return figures


def most_faithful(figures: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the space whose neighbours' margins are nearest to the queries' own.

    Spaces that do not compete (`Space.competes`) are skipped; ties go to the first.

    Args:
        figures: of `fidelity_figures` by space; at least one that competes.
    """
    competing = [name for name in figures if SPACES[name].competes]
    return min(competing, key=lambda name: figures[name]["margin_mae"].value)
