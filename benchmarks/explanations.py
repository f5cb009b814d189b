"""How good explanations are on photographs, and whether they find a planted mark.

Used as ``python -m benchmarks.explanations path/to/data``, a folder with `cats-ddpm`, `cats-sd` and
`oxford-cats` (whose masks of the cats are the ground truth).
"""

import argparse
import itertools
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.runs import clone, experiment, results, share
from stages.faithfulness.controls import CONTROLS
from twincam.explanations.heatmaps import METHODS
from twincam.files.arrays import read_array
from twincam.files.tables import read_table
from twincam.statistics.intervals import bootstrap_mean
from twincam.statistics.ranking import rank_correlations

FIGURES = ("deletion", "insertion", "road", "average_drop", "increase")
TARGETS = ("explain", "faithfulness")
PARTS = ("mark", "seeds", "cats-ddpm", "cats-sd", "oxford-cats")


def interval(found: dict[str, Any], name: str) -> str:
    """Return a figure with its interval."""
    return f"{found[name]:.3f} ({found[name + '_low']:.3f} to {found[name + '_high']:.3f})"


def print_faithfulness(name: str, folder: Path) -> None:
    """Print a row for each method and figure: its value, and its lead over every control."""
    (found,) = results(folder, "faithfulness")
    print(f"\n| {name}: method, figure | n | value | better than {' | '.join(CONTROLS)} |")
    print("|---|---|---|" + "---|" * len(CONTROLS))
    for method, one in found["heatmaps"].items():
        for figure in FIGURES:
            cells = [interval(one, f"{figure}_over_{control}") for control in CONTROLS]
            print(f"| {method}, {figure} | {one['n']} | {interval(one, figure)} | ", end="")
            print(f"{' | '.join(cells)} |", flush=True)


def print_cases(name: str, folder: Path) -> None:
    """Print the figures of a run's twins, influence and counterfactuals."""
    (found,) = results(folder, "explain")
    print(f"\n{name}: twins in {found['space']}\n")
    print("| space | agreement | margin error (all training images) | disagreement AUROC |")
    print("|---|---|---|---|")
    for space, one in found["twins"].items():
        error = f"{interval(one, 'margin_mae')} ({one['margin_mae_chance']:.3f})"
        warns = one.get("disagreement_auroc")
        cells = [space, share(one, "agreement"), error, "–" if warns is None else f"{warns:.2f}"]
        print(f"| {' | '.join(cells)} |")
    swaps = found["counterfactual"]
    print(
        f"\nCells swapped {swaps['cells_median']} (n = {swaps['n']}); pasted "
        f"{share(swaps, 'image_flip_rate')}, random {share(swaps, 'image_flip_rate_random')}\n"
    )
    influence = found["influence"]
    for estimate, one in influence["evaluated"].items():
        if isinstance(one, dict) and "hub_share" in one:
            print(f"- {estimate}: {interval(one, 'loo_correlation')}, hub {one['hub_share']:.2f}")
    print(f"- chosen: {influence['chosen']}", flush=True)


def planted_mark(folder: Path, methods: Sequence[str]) -> None:
    """Print whether heat and twins find the local shortcut, and its effect on recall."""
    experiment(
        folder, {"synthesize.shortcut": "local", "explain.methods": list(methods)}, "explain"
    )
    (found,) = results(folder, "explain")
    print("\n| planted mark: method | n | peaks on it | best fixed point | energy inside |")
    print("|---|---|---|---|---|")
    for method, one in found["marks"]["heatmaps"].items():
        fixed = f"{one['pointing_game_best_fixed_point']:.3f}"
        cells = [share(one, "pointing_game"), fixed, share(one, "energy_in_mask")]
        print(f"| {method} | {one['pointing_game_n']} | {' | '.join(cells)} |")
    print(f"\nRecall: {found['marks']['recall']}")
    shared = found["twins"][found["space"]]["attributes"]["marked"]
    print(f"Nearest five that share being marked or not: {shared}", flush=True)


def across_seeds(folder: Path, seeds: Sequence[int]) -> None:
    """Print how similar the Grad-CAM maps of models are that differ only in their seed."""
    maps, seen = [], []
    for seed in seeds:
        experiment(folder, {"seed": seed, "crossval.folds": 0}, "explain")
        maps.append(np.array(read_array(folder / "data" / "heatmaps" / "gradcam.npy")))
        seen.append(read_table(folder / "reports" / "predictions.csv")["as_is"].to_numpy())
    alike, control = [], []
    for one, other in itertools.combinations(range(len(seeds)), 2):
        same = seen[one] == seen[other]
        first, second = maps[one][same], maps[other][same]
        alike.append(rank_correlations(first, second))
        control.append(rank_correlations(first, np.roll(second, 1, axis=0)))
    print("\n| maps of two seeds, same prediction | pairs of maps | rank correlation (95 %) |")
    print("|---|---|---|")
    for name, values in (("of the same image", alike), ("of different images", control)):
        every = np.concatenate(values)
        low, high = bootstrap_mean(every, 0, name)
        print(
            f"| {name} | {len(every)} | {every.mean():.3f} ({low:.3f} to {high:.3f}) |", flush=True
        )


def heat_on_cats(data: Path, folder: Path, methods: Sequence[str]) -> None:
    """Print how much heat lies on the cat in photographs whose masks are known."""
    own = folder / "data" / "masked"
    shutil.copytree(data / "oxford-cats" / "images", own / "images" / "real")
    shutil.copytree(data / "oxford-cats" / "masks", own / "info" / "masks" / "real")
    fakes = sorted((data / "cats-ddpm").rglob("fake/*"))
    (own / "images" / "fake").mkdir()
    for path in fakes:
        shutil.copy(path, own / "images" / "fake" / f"{path.parts[-3]}-{path.name}")
    changes = {
        "data.root": "data/masked/images",
        "data.info": "data/masked/info",
        "crossval.folds": 0,
        "explain.methods": list(methods),
    }
    experiment(folder, changes, "explain")
    (found,) = results(folder, "explain")
    print("\n| heat on the cat: method | n | share of heat | the cat's share of the area | lead |")
    print("|---|---|---|---|---|")
    for method, one in found["heatmaps"].items():
        lead = interval(one, "energy_inside_over_uniform")
        cells = [interval(one, "energy_inside"), f"{one['energy_inside_uniform']:.3f}", lead]
        print(f"| {method} | {one['pointing_game_n']} | {' | '.join(cells)} |", flush=True)


def photographs(folder: Path, name: str, methods: Sequence[str], images: int) -> None:
    """Print the figures of maps, twins and counterfactuals for a set of photographs."""
    changes = {
        "data.root": f"data/{name}",
        "data.info": "data/none",
        "explain.methods": list(methods),
        "faithfulness.images": images,
    }
    experiment(folder, changes, *TARGETS)
    print_faithfulness(name, folder)
    print_cases(name, folder)


def main() -> None:
    """Print Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--methods", nargs="+", default=list(METHODS))
    parser.add_argument("--images", type=int, default=48)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    args = parser.parse_args()
    with clone(args.data / "cats-ddpm", args.data / "cats-sd") as folder:
        if "mark" in args.parts:
            planted_mark(folder, args.methods)
        if "seeds" in args.parts:
            across_seeds(folder, (0, 1, 2))
        for name in ("cats-ddpm", "cats-sd"):
            if name in args.parts:
                photographs(folder, name, args.methods, args.images)
        if "oxford-cats" in args.parts:
            heat_on_cats(args.data, folder, args.methods)


if __name__ == "__main__":
    main()
