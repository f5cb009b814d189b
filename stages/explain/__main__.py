"""Explain every evaluated prediction: heat map, twins, neighbourhood, counterfactual."""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import softmax

from stages.common.artifacts import (
    EVALUATED_SPLITS,
    atomic_folder,
    class_names,
    read_array,
    read_split,
    write_metrics,
    write_table,
)
from stages.common.errors import run_stage
from stages.common.figures import save_picture
from stages.common.gradcam import margin_classes, margins
from stages.common.params import read_params
from stages.common.statistics import wilson
from stages.explain.cases import choose_shown, find_neighbours, neighbour_table
from stages.explain.panels import Case, Tile, draw_panel
from stages.explain.params import Params
from stages.explain.pointing import pointing_game
from stages.explain.twins import SPACES, nearest, vote_agreement


def parser() -> argparse.ArgumentParser:
    """Return the command line of this stage."""
    arguments = argparse.ArgumentParser(prog="stages.explain", description=__doc__)
    for flag in ("params", "split", "images", "masks", "embeddings"):
        arguments.add_argument(f"--{flag}", type=Path, required=True)
    for flag in ("metrics", "twins", "panels"):
        arguments.add_argument(f"--{flag}", type=Path, required=True)
    return arguments


def main(argv: list[str]) -> None:
    """Run the stage."""
    args = parser().parse_args(argv)
    params = read_params(args.params, Params)
    k = params.explain.twins
    split, images, masks = read_split(args.split), read_array(args.images), read_array(args.masks)
    logits, features, cams, weight = (
        read_array(args.embeddings / f"{name}.npy")
        for name in ("logits", "features", "cams", "head_weight")
    )
    classes = class_names(split)
    rows = split.assign(
        label_index=split["label"].map(classes.index),
        predicted_index=margin_classes(logits)[0],
        confidence=softmax(logits, axis=1).max(axis=1),
        margin=margins(logits),
    )
    rows["predicted"] = rows["predicted_index"].map(dict(enumerate(classes)))
    query = np.flatnonzero(split["split"].isin(EVALUATED_SPLITS))
    train = np.flatnonzero(split["split"] == "train")
    queries, known = rows.iloc[query].reset_index(drop=True), rows.iloc[train]

    similarity = {
        name: space(features[query], features[train], weight, logits[query], logits[train])
        for name, space in SPACES.items()
    }
    predicted = queries["predicted_index"].to_numpy()
    labels = known["label_index"].to_numpy()
    neighbours = find_neighbours(
        similarity[params.explain.space], predicted, labels, known["predicted_index"].to_numpy(), k
    )
    metrics: dict[str, Any] = {
        "gradcam": {"blank_fraction": float((cams.max(axis=(1, 2)) <= 0).mean()), "n": len(cams)},
        "twins": {
            name: _agreement(vote_agreement(labels[nearest(values, k)[0]], predicted))
            for name, values in similarity.items()
        },
    }
    shape = (len(query), *images.shape[1:3])
    truth = masks[query] if len(masks) else np.broadcast_to(np.uint8(0), shape)
    masked = truth.any(axis=(1, 2))
    if masked.sum() > 1:
        metrics["gradcam"] |= pointing_game(cams[masked], truth[masked], params.seed)

    write_table(args.twins, neighbour_table(neighbours, queries, known))
    scale = float(np.quantile(np.abs(cams).max(axis=(1, 2)), 0.9))
    with atomic_folder(args.panels) as folder:
        for index in choose_shown(queries, params.explain.correct_panels, params.seed):
            row = queries.iloc[index]
            case = Case(
                path=row["path"],
                label=row["label"],
                predicted=row["predicted"],
                confidence=row["confidence"],
                margin=row["margin"],
                image=images[query[index]],
                heat=cams[index],
                heat_scale=scale,
                mask=truth[index],
                **{
                    kind: _tiles(images, known, places[index], values[index])
                    for kind, (places, values) in neighbours.kinds().items()
                },
            )
            save_picture(folder / f"{row['id']}.png", draw_panel(case))
    write_metrics(args.metrics, metrics)


def _agreement(agrees: np.ndarray) -> dict[str, float]:
    low, high = wilson(int(agrees.sum()), len(agrees))
    return {"agreement": float(agrees.mean()), "agreement_low": low, "agreement_high": high}


def _tiles(
    images: np.ndarray, known: pd.DataFrame, places: np.ndarray, similarity: np.ndarray
) -> list[Tile]:
    chosen = known.iloc[places[places >= 0]]
    return [
        Tile(images[row], value, label, predicted)
        for row, value, label, predicted in zip(
            chosen.index, similarity, chosen["label"], chosen["predicted"], strict=False
        )
    ]


if __name__ == "__main__":
    run_stage(main, "explain")
