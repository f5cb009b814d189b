"""Run the pipeline on a folder of photographs: seeds, harmonised and not, and with ResNet-18.

Used as ``python -m benchmarks.photographs path/to/cats-ddpm``.
"""

import argparse
import itertools
import shutil
from pathlib import Path

from benchmarks.runs import clone, print_heading, print_row

FROM_SCRATCH = {"train.unfreeze_from": 0, "train.learning_rate": 1e-4, "train.epochs": 10}


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    args = parser.parse_args()
    with clone(args.images) as folder:
        print_heading("setting")
        data = {"data.root": f"data/{args.images.name}", "data.info": "data/none"}
        for harmonise, seed in itertools.product((True, False), args.seeds):
            name = f"{'harmonised' if harmonise else 'not harmonised'}, seed {seed}"
            print_row(folder, name, {**data, "prepare.harmonise": harmonise, "seed": seed})
        resnet = {**data, "model.arch": "resnet18"}
        scratch = {**resnet, **FROM_SCRATCH, "model.weights": "none"}
        print_row(folder, "resnet18, weights none", scratch)
        weights = "data/resnet18.safetensors"
        shutil.copy(folder / "models" / "classifier.safetensors", folder / weights)
        file = {**resnet, "model.weights": "file", "model.weights_file": weights}
        print_row(folder, "resnet18, weights file (of the row above)", file)


if __name__ == "__main__":
    main()
