"""The study's network and settings beside the default ones: ResNet-18 with ImageNet weights.

Used as ``python -m benchmarks.study path/to/data``, a folder with `cats-ddpm` and
``weights/resnet18.safetensors``. Each row is a run of the pipeline with another seed. The published
val split holds copies of training images; `split` leaves them out, and accuracy with them is
beside it.
"""

import argparse
import json
import shutil
from pathlib import Path

import numpy as np

from benchmarks.runs import PRESETS, clone, experiment, results, settings, share
from stages.prepare.params import Params
from twincam.files.metrics import spelled
from twincam.files.params_file import read_params
from twincam.files.tables import class_names, read_split
from twincam.images.reading import read_image
from twincam.models.classifier import read_classifier
from twincam.models.forward import logits_of
from twincam.statistics.estimates import share as share_of

WEIGHTS = "data/resnet18.safetensors"
DATA = {"data.root": "data/cats-ddpm", "data.info": "data/none"}
RESNET = {"model.arch": "resnet18", "model.weights": "file", "model.weights_file": WEIGHTS}
TITLE = (
    "| setting | seed | n | accuracy (95 %) | AUC | with the copies, n | accuracy (95 %) | "
    "ProtoPNet (95 %) | lowest recall | live prototypes | guards broken | out of fold (95 %) |"
)


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--presets", nargs="+", default=["study", "default"])
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    print(f"{TITLE}\n|{'---|' * (TITLE.count('|') - 1)}", flush=True)
    with clone(args.data / "cats-ddpm") as folder:
        shutil.copy(args.data / "weights" / "resnet18.safetensors", folder / WEIGHTS)
        for preset in args.presets:
            for seed in args.seeds:
                own = settings(PRESETS / f"{preset}.yaml")
                changes = {**own, **DATA, **RESNET, "seed": seed}
                changes |= {"prototypes.on_collapse": "warn", "run.threads": args.threads}
                changes |= {"crossval.folds": args.folds, "audit.permutations": 20}
                experiment(folder, changes, "evaluate", "prototypes")
                print(f"| {' | '.join([preset, str(seed), *cells_of(folder)])} |", flush=True)


def cells_of(folder: Path) -> list[str]:
    """Return the cells that the run in ``folder`` gives."""
    evaluated, prototyped, crossval = results(folder, "evaluate", "prototypes", "crossval")
    val, prototypes = evaluated["val"], prototyped["val"]
    right = with_copies(folder)
    return [
        str(val["n"]),
        share(val, "accuracy"),
        f"{val['roc_auc']:.3f}",
        str(len(right)),
        share(spelled({"accuracy": share_of(right)}), "accuracy"),
        share(prototypes, "accuracy"),
        f"{prototypes['lowest_class_recall']:.3f}",
        json.dumps(prototyped["prototypes"].get("live", prototyped["prototypes"])),
        "; ".join(prototyped.get("guards_broken", [])) or "none",
        share(crossval, "accuracy"),
    ]


def with_copies(folder: Path) -> np.ndarray:
    """Return whether each image of the published val split is classified correctly, ``[N]``."""
    root = folder / DATA["data.root"] / "val"
    paths = sorted(path for path in root.rglob("*") if path.is_file())
    prepare = read_params(folder / "params.yaml", Params).prepare
    images = np.stack([read_image(path, prepare)[1] for path in paths])
    classes = class_names(read_split(folder / "data" / "split.csv"))
    network = read_classifier(folder / "models" / "classifier.safetensors")
    predicted = logits_of(network, images).argmax(axis=1)
    return predicted == np.array([classes.index(path.parent.name) for path in paths])


if __name__ == "__main__":
    main()
