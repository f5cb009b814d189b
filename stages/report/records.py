"""The gallery's records: what the pipeline found about each evaluated image, and the pictures."""

import argparse
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from twincam.explanations.gradcam import margins
from twincam.files.arrays import read_array, read_finite
from twincam.files.shards import Shards, read_shards
from twincam.files.tables import EVALUATED_SPLITS, class_names, read_split, read_table
from twincam.pages.explanation import (
    SCHEMA,
    Explanation,
    Prototypes,
    counterfactual_of,
    disagreement,
    figure,
    heat_of,
    influence_of,
    neighbour_of,
    picture_of,
    pictures_named,
    prototypes_of,
    twin_of,
    verdict_of,
)

MOST = 2000
"""Images in the gallery, at most."""

LARGE, SMALL = 224, 128
"""Side in pixels of the pictures of evaluated images and prototypes, and of other images."""

Rows = list[dict[Hashable, Any]]


class PrototypeMatches(NamedTuple):
    """The prototype network's table of P prototypes, the biases, and its best matches.

    ``similarity`` ``[Q,P]`` and ``cells`` ``[Q,P,2]`` are of the evaluated images.
    """

    table: pd.DataFrame
    biases: dict[str, float]
    similarity: np.ndarray
    cells: np.ndarray


class Run(NamedTuple):
    """M images, of which Q are evaluated; everything the gallery shows of these.

    ``predictions`` has Q rows in the order of all arrays, of which the gallery has those at
    ``shown``; ``images`` are ``[M,S,S,3]``, in the order of ``split``; ``near`` has the rows of
    ``reports/twins.csv`` of the images shown, by id and kind;
    ``heat`` ``[Q,h,w]`` by method; ``explains`` names what a method's map adds up to; ``shared``
    ``[Q,k,h,w]``; ``swapped``, bool ``[Q,h,w]``; ``flips`` ``[Q]``, whether the cells change the
    prediction in the image, too (1 or 0; -1: no counterfactual).
    """

    split: pd.DataFrame
    images: Shards
    predictions: pd.DataFrame
    shown: np.ndarray
    margins: np.ndarray
    near: Mapping[tuple[str, str], Rows]
    heat: Mapping[str, np.ndarray]
    explains: Mapping[str, str]
    shared: np.ndarray
    swapped: np.ndarray
    flips: np.ndarray
    prototypes: PrototypeMatches


def read_run(args: argparse.Namespace, details: Mapping[str, Any]) -> Run:
    """Read the results of a run for each evaluated image.

    Raises:
        UserError: a file is damaged.
    """
    split = read_split(args.split)
    rows = np.flatnonzero(split["split"].isin(EVALUATED_SPLITS))
    predictions = read_table(args.predictions).set_index("id", drop=False)
    predictions = predictions.loc[split["id"].iloc[rows]].reset_index(drop=True)
    shown = choose_shown(predictions)
    near = read_table(args.twins)
    near = near[near["id"].isin(predictions["id"].iloc[shown])]
    methods = details["explain"]["heatmaps"]
    heat = {name: read_array(args.heatmaps / f"{name}.npy") for name in methods}
    closed_form = read_array(args.embeddings / "cams.npy")
    return Run(
        split=split,
        images=read_shards(args.images),
        predictions=predictions,
        shown=shown,
        margins=margins(read_finite(args.embeddings / "logits.npy")[rows]),
        near={
            (str(name), str(kind)): found.to_dict("records")
            for (name, kind), found in near.groupby(["id", "kind"], sort=False)
        },
        heat=heat,
        explains={
            name: "margin" for name, maps in heat.items() if np.array_equal(maps, closed_form)
        },
        shared=read_array(args.shared),
        swapped=read_array(args.swapped),
        flips=read_array(args.flips),
        prototypes=PrototypeMatches(
            table=read_table(args.prototypes),
            biases={
                name: found["bias"] for name, found in details["prototypes"]["evidence"].items()
            },
            similarity=read_finite(args.measurements / "evaluated_similarity.npy"),
            cells=read_array(args.measurements / "evaluated_cells.npy"),
        ),
    )


def choose_shown(predictions: pd.DataFrame, most: int = MOST) -> np.ndarray:
    """Return the positions of the images in the gallery, in their order.

    All of them up to ``most``. Of more, the wrong ones, then the unsure ones, then the others; each
    of these in the order of ids, which are hashes of paths, so that a part is a sample.

    Args:
        predictions: ``id, label, predicted, unsure``.
        most: at least 1.
    """
    wrong = (predictions["label"] != predictions["predicted"]).to_numpy()
    order = np.lexsort((predictions["id"], ~predictions["unsure"].to_numpy(bool), ~wrong))
    return np.sort(order[:most])


def choice_sentence(predictions: pd.DataFrame, shown: np.ndarray) -> str:
    """Return in words which of the evaluated images the positions ``shown`` are."""
    if len(shown) == len(predictions):
        return f"All {len(predictions)} evaluated images."
    wrong = predictions["label"] != predictions["predicted"]
    doubted = wrong | predictions["unsure"].astype(bool)
    left = int(doubted.sum()) - int(doubted.iloc[shown].sum())
    which = (
        f"the wrong ones first, then the unsure ones, of which {left} are left out"
        if left
        else "every one that is wrong or unsure, and a sample of the others"
    )
    return f"{len(shown)} of {len(predictions)} evaluated images: {which}."


def records_of(run: Run) -> list[Explanation]:
    """Return the records of the images shown."""
    classes = class_names(run.split)
    scales = {name: _scale(maps) for name, maps in run.heat.items()}
    return [_record(run, n, classes, scales) for n in run.shown]


def _scale(maps: np.ndarray) -> float:
    """Return the evidence drawn in full colour, exceeded by one image in ten, as in the panels."""
    return max(float(np.quantile(np.abs(maps).max(axis=(1, 2)), 0.9)), 1e-12)


def _record(run: Run, n: int, classes: Sequence[str], scales: Mapping[str, float]) -> Explanation:
    row: dict[Hashable, Any] = run.predictions.iloc[n].to_dict()
    name = row["id"]

    def near(kind: str) -> Rows:
        return run.near.get((name, kind), [])

    neighbours = [neighbour_of(one) for one in near("neighbourhood")]
    counterfactual = near("counterfactual")
    return {
        "schema": SCHEMA,
        "name": row["path"],
        "image": name,
        "label": row["label"],
        "split": row["split"],
        "source": row["source"],
        "verdict": verdict_of(row, classes),
        "scope": "",
        "margin": figure(run.margins[n]),
        "heat": [
            one
            for method, maps in run.heat.items()
            for one in heat_of(method, maps[n], scales[method], run.explains.get(method))
        ],
        "twins": [twin_of(one, run.shared[n, k]) for k, one in enumerate(near("twins"))],
        "neighbours": neighbours,
        "disagree": disagreement(neighbours, row["as_is"]),
        "counterfactual": counterfactual_of(
            counterfactual[0], run.swapped[n], bool(run.flips[n] == 1)
        )
        if counterfactual
        else None,
        "prototypes": _prototypes(run, n, classes),
        "influence": [influence_of(one) for one in near("influential")],
    }


def _prototypes(run: Run, n: int, classes: Sequence[str]) -> Prototypes | None:
    found = run.prototypes
    if set(found.biases) != set(classes):
        return None
    live = np.flatnonzero(found.table["weight"] > 0)
    return prototypes_of(
        found.table.iloc[live].to_dict("records"),
        found.biases,
        found.similarity[n, live],
        found.cells[n, live],
        run.images.shape[1],
    )


def pictures_of(run: Run, records: Sequence[Explanation]) -> dict[str, str]:
    """Return the pictures that ``records`` name, as ``data:`` URIs by id."""
    large = {one["image"] for one in records} | set(run.prototypes.table["id"])
    named = pictures_named(records)
    return {
        name: picture_of(run.images[row], LARGE if name in large else SMALL)
        for row, name in enumerate(run.split["id"])
        if name in named
    }
