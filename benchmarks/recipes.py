"""Can training take less time and be as good?

Used as ``python -m benchmarks.recipes``: on rendered scenes, each recipe is trained on the same
images and judged on the same others. With ``--photographs DATA/cats-ddpm --others
DATA/oxford-cats/images`` as in `benchmarks.levels`.
"""

import argparse
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import numpy as np

from benchmarks.levels import (
    deliveries_in,
    mean_of,
    out_of_fold,
    prepared,
    recognised,
    rendered,
    with_levels,
)
from benchmarks.runs import ROOT, clone, experiment
from benchmarks.tables import print_cells, print_heading, spelled
from stages.train.params import Params
from twincam.files.params_file import read_params
from twincam.images.params import Prepare
from twincam.statistics.estimates import difference, mean, share
from twincam.training import fitting
from twincam.training.fitting import learning_rate
from twincam.training.params import Training


class Choice(NamedTuple):
    """What differs between the recipes; all freeze the same blocks.

    Without a warm-up the cosine starts at the first epoch. Depthwise kernels are trained, or keep
    their ImageNet weights.
    """

    epochs: int
    learning_rate: float
    warm_up: bool
    depthwise: str


RECIPES = (
    Choice(12, 0.002, True, "kept"),
    Choice(12, 0.001, False, "trained"),
    Choice(12, 0.001, False, "kept"),
    Choice(8, 0.002, True, "kept"),
)
"""The first is the default, with which the others are compared."""

FIGURES = {"right": "accuracy", "hits": "pointing game", "precision": "pixel precision"}


def main() -> None:
    """Print Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenes", type=int, nargs="+", default=[22, 23])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--photographs", type=Path)
    parser.add_argument("--others", type=Path, nargs="*", default=[], help="other sources' images")
    args = parser.parse_args()
    params = read_params(ROOT / "params.yaml", Params)
    own = [with_levels(params, params.model.levels, seed) for seed in args.seeds]
    if args.photographs:
        compare_photographs(own, args.photographs, args.others)
    else:
        compare_scenes(own, args.scenes)


def compare_scenes(seeds: Sequence[Params], scenes: Sequence[int]) -> None:
    """Print the means over scenes and seeds, and what each recipe loses."""
    every: dict[Choice, dict[int, list[dict[str, np.ndarray]]]] = {}
    with clone() as folder:
        for scene in scenes:
            experiment(folder, {"synthesize.seed": scene}, "prepare")
            for params in seeds:
                runs = rendered(folder, applied(params))
                for recipe, found in zip(RECIPES, runs, strict=True):
                    every.setdefault(recipe, {}).setdefault(scene, []).append(found)
    pooled = {recipe: pool(found) for recipe, found in every.items()}
    default = pooled[RECIPES[0]]
    lost = [f"{figure} lost" for figure in FIGURES.values()]
    print_heading(*Choice._fields, *FIGURES.values(), *lost, "CPU seconds")
    for recipe, found in pooled.items():
        values = (spelled(mean(found[name], 0, name)) for name in FIGURES)
        losses = (spelled(difference(default[name], found[name], 0, name)) for name in FIGURES)
        print_cells(*recipe, *values, *losses, f"{found['seconds'].mean():.0f}")


def compare_photographs(seeds: Sequence[Params], photographs: Path, others: Sequence[Path]) -> None:
    """Print the accuracy out of fold, and the share of the others classified as real."""
    prepare = Prepare.model_validate(seeds[0].prepare)
    elsewhere = {f"`{path}`": deliveries_in(path, prepare) for path in others}
    print_heading(*Choice._fields, "seed", "out of fold", *(f"{one} real" for one in elsewhere))
    with prepared(photographs) as folder:
        root = folder / "data" / photographs.name
        for params in seeds:
            for recipe, own in zip(RECIPES, applied(params), strict=True):
                found = recognised(folder, *out_of_fold(folder, root, own, elsewhere))
                print_cells(*recipe, own.seed, *(spelled(share(one)) for one in found.values()))


def applied(params: Params) -> Iterator[Params]:
    """Yield ``params`` with each recipe, which training follows until the next one."""
    for recipe in RECIPES:
        change = {"epochs": recipe.epochs, "learning_rate": recipe.learning_rate}
        with followed(recipe):
            yield params.model_copy(update={"train": params.train.model_copy(update=change)})


@contextmanager
def followed(recipe: Choice) -> Iterator[None]:
    """Train as ``recipe`` says where `params.yaml` cannot say it."""
    with ExitStack() as changes:
        if not recipe.warm_up:
            changes.enter_context(patch.object(fitting, "learning_rate", without_warm_up))
        if recipe.depthwise == "trained":
            changes.enter_context(patch.object(fitting, "_keep_depthwise_kernels"))
        yield


def without_warm_up(training: Training, epoch: int) -> float:
    """Return the rate of the epoch after ``epoch`` in a training that is one epoch longer."""
    longer = training.model_copy(update={"epochs": training.epochs + 1})
    return learning_rate(longer, epoch + 1)


def pool(scenes: dict[int, list[dict[str, np.ndarray]]]) -> dict[str, np.ndarray]:
    """Return the means over the seeds of each scene, one scene after the other."""
    means = [mean_of(seeds) for seeds in scenes.values()]
    return {name: np.concatenate([one[name] for one in means]) for name in means[0]}


if __name__ == "__main__":
    main()
