"""What does a shorter training run cost: fewer epochs, or more frozen blocks?

Used as ``python -m benchmarks.recipes``: on rendered scenes not used for any choice, each recipe is
trained on the same images and judged on the same others. Only `train.unfreeze_from` and
`train.epochs` change.
"""

import argparse

import numpy as np

from benchmarks.levels import mean_of, print_cells, rendered, spelled, with_levels
from benchmarks.runs import ROOT, clone, experiment
from stages.train.params import Params
from twincam.files.params_file import read_params
from twincam.statistics.estimates import difference, mean

RECIPES = ((3, 12), (3, 8), (3, 6), (4, 12), (4, 8), (5, 12))
"""First block that is trained, and epochs; the first is the default."""

FIGURES = {"right": "accuracy", "hits": "pointing game", "precision": "pixel precision"}


def main() -> None:
    """Print Markdown tables: the means over scenes and seeds, and what each recipe loses."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenes", type=int, nargs="+", default=[21, 22])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    args = parser.parse_args()
    params = read_params(ROOT / "params.yaml", Params)
    every: dict[tuple[int, int], dict[int, list[dict[str, np.ndarray]]]] = {}
    with clone() as folder:
        for scene in args.scenes:
            experiment(folder, {"synthesize.seed": scene}, "prepare")
            for seed in args.seeds:
                own = [with_recipe(params, seed, *recipe) for recipe in RECIPES]
                for recipe, found in zip(RECIPES, rendered(folder, own), strict=True):
                    every.setdefault(recipe, {}).setdefault(scene, []).append(found)
    pooled = {recipe: pool(scenes) for recipe, scenes in every.items()}
    default = pooled[RECIPES[0]]
    lost = [f"{figure} lost" for figure in FIGURES.values()]
    print_cells("trained from block", "epochs", *FIGURES.values(), *lost, "CPU seconds")
    print_cells(*["---"] * (3 + 2 * len(FIGURES)))
    for recipe, found in pooled.items():
        values = (spelled(mean(found[name], 0, name)) for name in FIGURES)
        losses = (spelled(difference(default[name], found[name], 0, name)) for name in FIGURES)
        print_cells(*recipe, *values, *losses, f"{found['seconds'].mean():.0f}")


def with_recipe(params: Params, seed: int, unfreeze_from: int, epochs: int) -> Params:
    """Return ``params`` with another seed, first trained block and number of epochs."""
    own = with_levels(params, params.model.levels, seed)
    change = {"unfreeze_from": unfreeze_from, "epochs": epochs}
    return own.model_copy(update={"train": own.train.model_copy(update=change)})


def pool(scenes: dict[int, list[dict[str, np.ndarray]]]) -> dict[str, np.ndarray]:
    """Return the means over the seeds of each scene, one scene after the other."""
    means = [mean_of(seeds) for seeds in scenes.values()]
    return {name: np.concatenate([one[name] for one in means]) for name in means[0]}


if __name__ == "__main__":
    main()
