"""Explain every evaluated prediction: heat map, twins, neighbourhood, counterfactual."""

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from stages.common.artifacts import (
    EVALUATED_SPLITS,
    atomic_folder,
    read_array,
    read_split,
    write_metrics,
    write_table,
)
from stages.common.errors import run_stage
from stages.common.figures import save_picture
from stages.common.params import read_params
from stages.common.statistics import share_with_interval
from stages.explain.cases import (
    choose_shown,
    describe,
    find_neighbours,
    neighbour_table,
    tiles_of,
)
from stages.explain.panels import Case, draw_panel
from stages.explain.params import Params
from stages.explain.pointing import heat_figures
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
    rows = describe(split, logits)
    query = np.flatnonzero(split["split"].isin(EVALUATED_SPLITS))
    train = np.flatnonzero(split["split"] == "train")
    queries, known = rows.iloc[query].reset_index(drop=True), rows.iloc[train]

    similarity = {
        name: space(features[query], features[train], weight, logits[query], logits[train])
        for name, space in SPACES.items()
    }
    neighbours = find_neighbours(similarity[params.explain.space], queries, known, k)
    labels, predicted = known["label"].to_numpy(), queries["predicted"].to_numpy()
    truth = masks[query] if len(masks) else np.zeros((len(query), *images.shape[1:3]), np.uint8)
    metrics: dict[str, Any] = {
        "gradcam": heat_figures(cams, truth, params.seed),
        "twins": {
            name: share_with_interval(
                "agreement", vote_agreement(labels[nearest(values, k)[0]], predicted)
            )
            for name, values in similarity.items()
        },
    }
    write_table(args.twins, neighbour_table(neighbours, queries, known))
    scale = float(np.quantile(np.abs(cams).max(axis=(1, 2)), 0.9))
    with atomic_folder(args.panels) as folder:
        for index in choose_shown(queries, params.explain.correct_panels, params.seed):
            case = Case(
                row=queries.iloc[index],
                image=images[query[index]],
                heat=cams[index],
                mask=truth[index],
                heat_scale=scale,
                **tiles_of(neighbours, int(index), known, images),
            )
            save_picture(folder / f"{case.row['id']}.png", draw_panel(case))
    write_metrics(args.metrics, metrics)


if __name__ == "__main__":
    run_stage(main, "explain")
