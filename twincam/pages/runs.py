"""The records of a run: what the pipeline found about each evaluated image, and the pictures."""

import math
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from twincam.explanations.maps import full_colour
from twincam.files.arrays import read_array, read_finite
from twincam.files.deliveries import AS_IS, EXTERNAL, read_deliveries
from twincam.files.shards import Rows, read_shards
from twincam.files.tables import (
    EVALUATED_SPLITS,
    class_names,
    logit_columns,
    read_split,
    read_table,
)
from twincam.pages.explanation import (
    SCHEMA,
    Delivery,
    Explanation,
    Forensics,
    Novelty,
    Prototypes,
    counterfactual_of,
    deliveries_of,
    disagreement,
    figure,
    forensics_of,
    heat_of,
    influence_of,
    neighbour_of,
    novelty_of,
    picture_of,
    pictures_named,
    prototypes_of,
    twin_of,
    verdict_of,
)
from twincam.statistics.margins import margins

LARGE, SMALL = 224, 128
"""Side in pixels of the pictures of evaluated images and prototypes, and of other images."""

Near = list[dict[Hashable, Any]]
"""Rows of ``reports/twins.csv``."""


class RunFiles(NamedTuple):
    """The files of a run that its records are made of, besides the stages' details."""

    split: Path
    images: Path
    embeddings: Path
    predictions: Path
    deliveries: Path
    traces: Path
    novelty: Path
    heatmaps: Path
    twins: Path
    shared: Path
    swapped: Path
    flips: Path
    prototypes: Path
    measurements: Path


class PrototypeMatches(NamedTuple):
    """The prototype network's table of P prototypes, the biases, and its best matches.

    ``similarity`` ``[Q,P]`` and ``cells`` ``[Q,P,2]`` are of the evaluated images.
    """

    table: pd.DataFrame
    biases: dict[str, float]
    similarity: np.ndarray
    cells: np.ndarray


class Run(NamedTuple):
    """M images, of which Q are evaluated, and what the stages found.

    ``predictions`` has Q rows in the order of all arrays; ``images`` are ``[M,S,S,3]``, in the
    order of ``split``; ``near`` is ``reports/twins.csv``; ``deliveries``, those of
    ``data/deliveries.csv`` that are processed evaluated images; ``forensics``, by id where
    measured; ``novelty``, by id; ``heat`` ``[Q,h,w]`` by method; ``explains`` names what a method's
    map adds up to; ``shared`` ``[Q,k,h,w]``; ``swapped``, bool ``[Q,h,w]``; ``flips`` ``[Q]``,
    whether the cells change the prediction in the image, too (1 or 0; -1: no counterfactual).
    """

    split: pd.DataFrame
    images: Rows
    predictions: pd.DataFrame
    margins: np.ndarray
    deliveries: pd.DataFrame
    forensics: Mapping[str, Forensics]
    novelty: Mapping[str, Novelty]
    near: pd.DataFrame
    heat: Mapping[str, np.ndarray]
    explains: Mapping[str, str]
    shared: np.ndarray
    swapped: np.ndarray
    flips: np.ndarray
    prototypes: PrototypeMatches


def read_run(files: RunFiles, details: Mapping[str, Any]) -> Run:
    """Read the results of a run for each evaluated image.

    Args:
        files: of the run.
        details: of ``explain``, ``forensics`` and ``prototypes``.

    Raises:
        UserError: a file is damaged.
    """
    split = read_split(files.split)
    rows = np.flatnonzero(split["split"].isin(EVALUATED_SPLITS))
    predictions = read_table(files.predictions).set_index("id", drop=False)
    sent = read_deliveries(files.deliveries)
    methods = details["explain"]["heatmaps"]
    heat = {name: read_array(files.heatmaps / f"{name}.npy") for name in methods}
    closed_form = read_array(files.embeddings / "cams.npy")
    evidence = details["prototypes"]["evidence"]
    return Run(
        split=split,
        images=read_shards(files.images),
        predictions=predictions.loc[split["id"].iloc[rows]].reset_index(drop=True),
        margins=margins(read_finite(files.embeddings / "logits.npy")[rows]),
        deliveries=sent[(sent["delivery"] != AS_IS) & (sent["split"] != EXTERNAL)],
        forensics=_forensics(read_table(files.traces), details["forensics"].get("threshold")),
        novelty=_novelty(read_table(files.novelty)),
        near=read_table(files.twins, ("reached",)),
        heat=heat,
        explains={
            name: "margin" for name, maps in heat.items() if np.array_equal(maps, closed_form)
        },
        shared=read_array(files.shared),
        swapped=read_array(files.swapped),
        flips=read_array(files.flips),
        prototypes=PrototypeMatches(
            table=read_table(files.prototypes),
            biases={name: found["bias"] for name, found in evidence.items()},
            similarity=read_finite(files.measurements / "evaluated_similarity.npy"),
            cells=read_array(files.measurements / "evaluated_cells.npy"),
        ),
    )


def _forensics(traces: pd.DataFrame, threshold: float | None) -> dict[str, Forensics]:
    limit = math.inf if threshold is None else threshold
    return {
        row["id"]: forensics_of(row["score"], limit, bool(row["traced"]))
        for row in traces.to_dict("records")
    }


def _novelty(table: pd.DataFrame) -> dict[str, Novelty]:
    return {
        row["id"]: novelty_of(row["distance"], row["quantile"]) for row in table.to_dict("records")
    }


class _Shown(NamedTuple):
    """What some images share: classes, scales of heat by method, and their rows of the tables."""

    classes: Sequence[str]
    scales: Mapping[str, float]
    near: Mapping[tuple[str, str], Near]
    deliveries: Mapping[str, pd.DataFrame]


def records_of(run: Run, places: np.ndarray) -> list[Explanation]:
    """Return the record of each evaluated image at ``places``."""
    names = run.predictions["id"].iloc[places]
    near = run.near[run.near["id"].isin(names)].groupby(["id", "kind"], sort=False)
    sent = run.deliveries[run.deliveries["id"].isin(names)].groupby("id", sort=False)
    shown = _Shown(
        classes=class_names(run.split),
        scales={method: full_colour(maps) for method, maps in run.heat.items()},
        near={(str(name), str(kind)): rows.to_dict("records") for (name, kind), rows in near},
        deliveries={str(name): rows for name, rows in sent},
    )
    return [_record(run, n, shown) for n in places]


def _record(run: Run, n: int, shown: _Shown) -> Explanation:
    row: dict[Hashable, Any] = run.predictions.iloc[n].to_dict()
    name, as_is = row["id"], row["as_is"]

    def near(kind: str) -> Near:
        return shown.near.get((name, kind), [])

    neighbours = [neighbour_of(one) for one in near("neighbourhood")]
    counterfactual = near("counterfactual")
    return {
        "schema": SCHEMA,
        "name": row["path"],
        "image": name,
        "label": row["label"],
        "split": row["split"],
        "source": row["source"],
        "verdict": verdict_of(row, shown.classes, run.novelty[name]),
        "scope": "",
        "margin": figure(run.margins[n]),
        "deliveries": _deliveries(shown, name, as_is),
        "forensics": run.forensics.get(name),
        "heat": [
            one
            for method, maps in run.heat.items()
            for one in heat_of(method, maps[n], shown.scales[method], run.explains.get(method))
        ],
        "twins": [twin_of(one, run.shared[n, k]) for k, one in enumerate(near("twins"))],
        "neighbours": neighbours,
        "disagree": disagreement(neighbours, as_is),
        "counterfactual": counterfactual_of(
            counterfactual[0], run.swapped[n], bool(run.flips[n] == 1)
        )
        if counterfactual
        else None,
        "prototypes": _prototypes(run, n, shown.classes),
        "influence": [influence_of(one) for one in near("influential")],
    }


def _deliveries(shown: _Shown, name: str, as_is: str) -> list[Delivery]:
    if name not in shown.deliveries:
        return []
    rows = shown.deliveries[name]
    logits = rows[logit_columns(shown.classes)].to_numpy()
    return deliveries_of(rows["delivery"].tolist(), logits, shown.classes, as_is)


def _prototypes(run: Run, n: int, classes: Sequence[str]) -> Prototypes | None:
    found = run.prototypes
    if set(found.biases) != set(classes):
        return None
    live = np.flatnonzero(found.table["weight"] > 0)
    rows, size = found.table.iloc[live].to_dict("records"), run.images.shape[1]
    centres = match_centres(found.table, found.cells[n])[live]
    return prototypes_of(rows, found.biases, found.similarity[n, live], centres, size)


def match_centres(table: pd.DataFrame, cells: np.ndarray) -> np.ndarray:
    """Return the pixels ``[P,2]`` at the centres of the cells ``[P,2]`` of P prototypes.

    ``table`` is ``reports/prototypes.csv``; in that of older runs, cells start at the border.
    """
    stride = table["stride"].to_numpy()
    first = table["first"].to_numpy() if "first" in table else stride // 2
    return cells * stride[:, None] + first[:, None]


def pictures_of(run: Run, records: Sequence[Explanation]) -> dict[str, str]:
    """Return the pictures that ``records`` name, as ``data:`` URIs by id."""
    large = {one["image"] for one in records} | set(run.prototypes.table["id"])
    named = pictures_named(records)
    return {
        name: picture_of(np.asarray(run.images[row]), LARGE if name in large else SMALL)
        for row, name in enumerate(run.split["id"])
        if name in named
    }
