"""Are two backbones together more accurate than each alone?

Used as ``python -m benchmarks.backbones path/to/data``, a folder with `cats-ddpm`, `cats-sd`,
`oxford-cats` and ``weights/resnet18.safetensors``. Out of fold over all images of `cats-ddpm`, by
the mean over deliveries, and on photographs of other sources. The folds of a seed are the same for
both; together, the mean of their logits decides.
"""

import argparse
from pathlib import Path

import numpy as np

from benchmarks.levels import (
    deliveries_in,
    mean_of,
    out_of_fold,
    prepared,
    recognised,
    with_levels,
)
from benchmarks.runs import ROOT
from benchmarks.tables import print_cells, print_heading, spelled
from stages.train.params import Params
from twincam.files.params_file import read_params
from twincam.images.params import Prepare
from twincam.statistics.estimates import difference, mean, share

LEVELS = {"efficientnet_lite0": 2, "resnet18": 1}
"""Backbones, and the resolutions that their heads read in the presets."""

OTHERS = ("oxford-cats/images", "cats-sd/real")


def main() -> None:
    """Print a Markdown table, and what both together gain."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    args = parser.parse_args()
    params = read_params(ROOT / "params.yaml", Params)
    prepare = Prepare.model_validate(params.prepare)
    others = {f"`{path}`": deliveries_in(args.data / path, prepare) for path in OTHERS}
    every: dict[str, list[dict[str, np.ndarray]]] = {}
    print_heading("backbone", "seed", "out of fold", *(f"{name} real" for name in others))
    with prepared(args.data / "cats-ddpm") as folder:
        root = folder / "data" / "cats-ddpm"
        for seed in args.seeds:
            found = []
            for arch, levels in LEVELS.items():
                own = with_backbone(with_levels(params, levels, seed), arch, args.data)
                found.append(out_of_fold(folder, root, own, others))
            (first, seen), (second, seen_too) = found
            both = (first + second) / 2, {name: (seen[name] + seen_too[name]) / 2 for name in seen}
            for name, scores in zip([*LEVELS, "both"], [*found, both], strict=True):
                right = recognised(folder, *scores)
                every.setdefault(name, []).append(right)
                print_cells(name, seed, *(spelled(share(one)) for one in right.values()))
    means = {name: mean_of(seeds) for name, seeds in every.items()}
    for name, found_of in means.items():
        print_cells(name, "all", *(spelled(mean(one, 0, "seeds")) for one in found_of.values()))
    for name in LEVELS:
        gains = (
            spelled(difference(means["both"][key], one, 0, "seeds"))
            for key, one in means[name].items()
        )
        print_cells(f"both minus {name}", "all", *gains)


def with_backbone(params: Params, arch: str, data: Path) -> Params:
    """Return ``params`` with a backbone and its ImageNet weights."""
    change: dict[str, object] = {"arch": arch}
    if arch == "resnet18":
        change |= {"weights": "file", "weights_file": str(data / "weights/resnet18.safetensors")}
    return params.model_copy(update={"model": params.model.model_copy(update=change)})


if __name__ == "__main__":
    main()
