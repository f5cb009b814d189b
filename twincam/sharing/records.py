"""The explanations of a run as records, and their pictures: what the page of a branch shows."""

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from twincam.figures.cases import Explained
from twincam.pages.explanation import (
    SCHEMA,
    Explanation,
    counterfactual_of,
    disagreement,
    figure,
    heat_of,
    influence_of,
    neighbour_of,
    picture_of,
    pictures_named,
    twin_of,
    verdict_of,
)

SIDE = 224
"""Pixels of a picture."""


def record_of(run: Explained, index: int) -> Explanation:
    """Return the record of the evaluated image at ``index``, without its prototypes."""
    row: dict[Hashable, Any] = run.queries.iloc[index].to_dict()
    classes = sorted(run.queries["label"].unique())
    own = run.neighbours[run.neighbours["id"] == row["id"]]

    def near(kind: str) -> list[dict[Hashable, Any]]:
        return own[own["kind"] == kind].to_dict("records")

    neighbours = [neighbour_of(one) for one in near("neighbourhood")]
    other = near("counterfactual")
    return {
        "schema": SCHEMA,
        "name": row["path"],
        "image": row["id"],
        "label": row["label"],
        "split": row["split"],
        "source": row["source"],
        "verdict": verdict_of(row, classes),
        "scope": run.scope,
        "margin": figure(row["margin"]),
        "heat": heat_of(run.method, run.heat[index], run.heat_scale),
        "twins": [
            twin_of(one, None if rank else run.shared[index])
            for rank, one in enumerate(near("twins"))
        ],
        "neighbours": neighbours,
        "disagree": disagreement(neighbours, row["as_is"]),
        "counterfactual": counterfactual_of(other[0], run.swapped[index]) if other else None,
        "prototypes": None,
        "influence": [influence_of(one) for one in near("influential")],
    }


def pictures_of(run: Explained, records: Sequence[Explanation]) -> dict[str, str]:
    """Return the pictures that ``records`` name, as ``data:`` URIs by id."""
    place = {name: row for row, name in enumerate(run.ids)}
    return {
        name: picture_of(np.asarray(run.images[place[name]]), SIDE)
        for name in sorted(pictures_named(records))
    }
