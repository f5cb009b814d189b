"""Explain every evaluated prediction: heat maps, twins, influence, counterfactuals."""

from typing import Any

from stages.explain.counterfactuals import find_counterfactuals
from stages.explain.heatmaps import find_maps
from stages.explain.influence import find_influential
from stages.explain.novelty import novelty_table
from stages.explain.params import Params
from stages.explain.run import neighbour_table, read_run, with_reached
from stages.explain.twins import find_twins
from twincam.files.arrays import read_array, write_array
from twincam.files.atomic import atomic_folder
from twincam.files.command_line import parse_flags
from twincam.files.errors import run_stage
from twincam.files.metrics import write_metrics
from twincam.files.params_file import read_params
from twincam.files.tables import read_table, write_table


def main(argv: list[str]) -> None:
    """Run the stage."""
    args = parse_flags(
        argv,
        __doc__,
        *("params", "split", "attributes", "images", "masks", "marks", "model", "embeddings"),
        *("clip-folder", "out-of-fold-twins", "heatmaps", "swapped", "flips", "shared"),
        *("twins", "novelty", "metrics", "details"),
    )
    params = read_params(args.params, Params)
    run = read_run(args, params)
    heat = find_maps(run, params, read_array(args.embeddings / "cams.npy"))
    twins = find_twins(run, params, read_table(args.out_of_fold_twins))
    changes = find_counterfactuals(run, twins, params.seed)
    influence = find_influential(run, params)

    with atomic_folder(args.heatmaps) as folder:
        for method, maps in heat.arrays.items():
            write_array(folder / f"{method}.npy", maps)
    write_array(args.shared, twins.shared)
    for name in ("swapped", "flips"):
        write_array(getattr(args, name), changes.arrays[name])
    neighbours = {**twins.neighbours, **changes.neighbours, **influence.neighbours}
    table = neighbour_table(neighbours, run)
    write_table(args.twins, with_reached(table, changes.arrays["reached"], run))
    write_table(args.novelty, novelty_table(run, params.explain.exact_neighbours_up_to))
    details = {
        "shown": params.explain.twins,
        **heat.metrics,
        **twins.metrics,
        **influence.metrics,
        **changes.metrics,
    }
    write_metrics(args.metrics, headlines(details))
    write_metrics(args.details, details)


def headlines(details: dict[str, Any]) -> dict[str, Any]:
    """Return the figures that two runs are compared by.

    ``pointing_game`` of the first method, if defects are known; ``margin_mae`` of the twins, the
    distance of their mean margin from the image's own, with that of all training images.
    """
    heat, twins = details["heatmaps"][details["method"]], details["twins"][details["space"]]
    found = {"pointing_game": heat["pointing_game"]} if "pointing_game" in heat else {}
    margins = {"margin_mae": twins["margin_mae"].value}
    return {**found, **margins, "margin_mae_chance": twins["margin_mae_chance"]}


if __name__ == "__main__":
    run_stage(main, "explain")
