"""Explain every evaluated prediction: heat map, twins, neighbourhood, counterfactual."""

import argparse
from pathlib import Path
from typing import Any

from stages.common.artifacts import atomic_folder, write_metrics, write_table
from stages.common.errors import run_stage
from stages.common.figures import save_picture
from stages.common.params import read_params
from stages.common.statistics import share_with_interval
from stages.explain.cases import Run, case_of, choose_shown, explain_run, neighbour_table
from stages.explain.panels import draw_panel
from stages.explain.params import Params
from stages.explain.pointing import heat_figures
from stages.explain.twins import nearest, vote_agreement


def parser() -> argparse.ArgumentParser:
    """Return the command line of this stage."""
    arguments = argparse.ArgumentParser(prog="stages.explain", description=__doc__)
    for flag in ("params", "split", "images", "masks", "embeddings", "predictions", "evaluated"):
        arguments.add_argument(f"--{flag}", type=Path, required=True)
    for flag in ("metrics", "twins", "panels"):
        arguments.add_argument(f"--{flag}", type=Path, required=True)
    return arguments


def main(argv: list[str]) -> None:
    """Run the stage."""
    args = parser().parse_args(argv)
    params = read_params(args.params, Params)
    k = params.explain.twins
    run = Run(*(getattr(args, name) for name in Run._fields))
    explained = explain_run(run, params.explain.space, k)
    queries, known = explained.queries, explained.known
    labels, predicted = known["label"].to_numpy(), queries["predicted"].to_numpy()
    metrics: dict[str, Any] = {
        "gradcam": heat_figures(explained.cams, explained.truth, params.seed),
        "twins": {
            name: share_with_interval(
                "agreement", vote_agreement(labels[nearest(values, k)[0]], predicted)
            )
            for name, values in explained.similarity.items()
        },
    }
    write_table(args.twins, neighbour_table(explained.neighbours, queries, known))
    with atomic_folder(args.panels) as folder:
        for index in choose_shown(queries, params.explain.correct_panels, params.seed):
            panel = draw_panel(case_of(explained, int(index)))
            save_picture(folder / f"{queries['id'].iloc[index]}.png", panel)
    write_metrics(args.metrics, metrics)


if __name__ == "__main__":
    run_stage(main, "explain")
