"""Every method's heat maps, measured and summarised."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stages.faithfulness.controls import Sample, partners
from stages.faithfulness.measures import Measured, classify_with, join_batches, measure_batch
from stages.faithfulness.sanity import gradcam_maps, same_maps, sanity_scores
from stages.faithfulness.summary import (
    by_baseline,
    curve_table,
    metrics_of,
    scores_of,
    series_metrics,
)
from twincam.engine.mapping import map_in_order
from twincam.files.arrays import read_array
from twincam.files.errors import UserError
from twincam.models.forward import BATCH, batches, to_inputs
from twincam.models.runtimes import Source, opened
from twincam.statistics.margins import margin_classes, margins


def read_heat(folder: Path, evaluated: int) -> dict[str, np.ndarray]:
    """Return the maps ``[E,h,w]`` of the ``evaluated`` images by method, in the order of names.

    Raises:
        UserError: there are none, or not one for each image.
    """
    found = {path.stem: read_array(path) for path in sorted(folder.glob("*.npy"))}
    for method, maps in found.items():
        if maps.ndim != 3 or len(maps) != evaluated:
            raise UserError(
                f"{folder}/{method}.npy: expected {evaluated} maps, got an array of shape "
                f"{maps.shape}; run `dvc repro`"
            )
    if not found:
        raise UserError(f"{folder}: expected heat maps, found none; run `dvc repro`")
    return found


def compare_methods(
    source: Source,
    split: pd.DataFrame,
    logits: np.ndarray,
    heat: Mapping[str, np.ndarray],
    seed: int,
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Return every method's metrics, and the points of its curves.

    Args:
        source: the network and all images.
        split: the N rows of ``data/split.csv`` to measure, indexed by their row in the images.
        logits: ``[N,K]``.
        heat: maps ``[N,h,w]`` by method; where ``gradcam`` is that of what the head reads, it
            is also compared with itself under noise and on randomised networks.
        seed: of all random choices.
    """
    rows, ids, labels = (split.index.to_numpy(), *(split[k].to_numpy() for k in ("id", "label")))
    predicted, margin = margin_classes(logits)[0], margins(logits)
    sample = Sample(logits, ids, partners(predicted, seed))
    measure_some = partial(_measure_some, source, rows, sample, heat, seed)
    parts = list(batches(len(rows), BATCH))
    measured = join_batches(map_in_order(measure_some, parts, source.run, "faithfulness"))
    network, images = opened(source)

    def squares(part: np.ndarray) -> np.ndarray:
        return images[rows[part]]

    metrics: dict[str, Any] = {}
    for method, found in measured.items():
        scores, more = scores_of(found, logits), {}
        if method == "gradcam":
            original = gradcam_maps(network, squares, logits)
            if same_maps(original, heat[method]):
                sane, series = sanity_scores(network, squares, sample, original, seed)
                scores |= sane
                more = {"randomisation": series_metrics(series, seed)}
        metrics[method] = {
            **metrics_of(scores, labels, seed),
            "by_baseline": by_baseline(found, margin, seed),
            **more,
        }
    tables = [curve_table(method, found, margin, seed) for method, found in measured.items()]
    return metrics, pd.concat(tables, ignore_index=True)


def _measure_some(
    source: Source,
    rows: np.ndarray,
    sample: Sample,
    heat: Mapping[str, np.ndarray],
    seed: int,
    part: np.ndarray,
) -> dict[str, Measured]:
    network, images = opened(source)
    inputs = to_inputs(network, images[rows[part]])
    return measure_batch(classify_with(network), inputs, sample, heat, part, seed)
