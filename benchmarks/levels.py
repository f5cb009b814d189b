"""Does a head over several resolutions classify better, and point better?

Used as ``python -m benchmarks.levels`` with the built-in cats of the working tree (`dvc repro
prepare` first), or with ``--photographs DATA/cats-ddpm``, out of fold over all its images. The
recipe is that of `params.yaml`; only the seed and `model.levels` change.
"""

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.runs import ROOT, clone, run
from stages.crossval.folds import divide, refits
from stages.crossval.params import Crossval
from stages.train.params import Params
from twincam.determinism import make_torch_deterministic
from twincam.explanations.gradcam import margin_classes, margin_maps, margins
from twincam.explanations.localisation import pixel_precision, pointing_hits, targets
from twincam.files.metrics import Estimate
from twincam.files.params_file import read_params
from twincam.files.shards import read_masks, read_shards
from twincam.files.tables import class_names, read_split
from twincam.models.forward import embed
from twincam.models.network import Network
from twincam.models.weights import initial_network
from twincam.statistics.estimates import mean, share
from twincam.training.activations import augmented_inputs
from twincam.training.fitting import Recipe, fit
from twincam.training.labelled import LabelledInputs, labelled_images, labelled_inputs
from twincam.training.refits import held_out_logits, refit_function


def with_levels(params: Params, levels: int, seed: int) -> Params:
    """Return ``params`` with another seed and number of levels, on one thread."""
    model = params.model.model_copy(update={"levels": levels})
    threads = params.run.model_copy(update={"threads": 1})
    return params.model_copy(update={"model": model, "seed": seed, "run": threads})


def started(params: Params, stage: str, classes: Sequence[str]) -> Network:
    """Return the network that ``stage`` would start to train."""
    make_torch_deterministic(params.seed, stage, threads=params.run.threads)
    return initial_network(params.model, Path(), classes)


def rendered(
    folder: Path, params: Params, levels: list[int], seed: int
) -> Iterator[dict[str, np.ndarray]]:
    """Yield, for each of ``levels``, what `print_row` shows, of the images at ``folder``/data.

    The frozen blocks run once for all of them.
    """
    split = read_split(folder / "data/split.csv")
    images = read_shards(folder / "data/prepared/images")
    classes = class_names(split)
    data = labelled_images(images, split, classes)
    train, val = (np.flatnonzero(split["split"] == name) for name in ("train", "val"))
    masks = read_masks(folder / "data/prepared/masks", val, images.shape[1])
    masked = masks.any(axis=(1, 2))
    inputs: LabelledInputs | None = None
    for count in levels:
        own = with_levels(params, count, seed)
        network, cut = started(own, "train", classes), own.train.unfreeze_from
        if inputs is None:
            frozen = augmented_inputs(network, images, train, cut, own.train, seed)
            inputs = labelled_inputs(frozen, data, train)
        fit(network, inputs, None, Recipe(own.train, seed))
        network.module.eval()
        found = embed(network, images, val, maps=True)
        weight, bias = (part.detach().numpy() for part in (network.head.weight, network.head.bias))
        maps = margin_maps(found.maps, weight, found.logits)
        predicted, rival = margin_classes(found.logits)
        total = maps.mean(axis=(1, 2)) + bias[predicted] - bias[rival]
        yield {
            "right": predicted == data.labels[val].numpy(),
            "hits": np.diag(pointing_hits(maps[masked], targets(masks[masked]))),
            "precision": pixel_precision(maps[masked], masks[masked]),
            "error": np.abs(total - margins(found.logits)),
        }


def out_of_fold(folder: Path, params: Params) -> np.ndarray:
    """Return, bool ``[N]``, whether each image is recognised by a network not trained on it."""
    split = read_split(folder / "data/split.csv")
    images = read_shards(folder / "data/prepared/images")
    classes = class_names(split)
    data = labelled_images(images, split, classes)
    divided = divide(split, Crossval(folds=5, repeats=1), params.seed)
    plan, network = list(refits(divided)), started(params, "crossval", classes)
    with tempfile.TemporaryDirectory() as scratch:
        recipe = Recipe(params.train, params.seed)
        evaluate = held_out_logits(images)
        results = refit_function(network, data, plan, evaluate, recipe, Path(scratch))
        found = [results(number)["logits"].argmax(axis=1) for number in range(len(plan))]
    truth = [data.labels[part.held_out].numpy() for part in plan]
    return np.asarray(np.concatenate(found) == np.concatenate(truth))


def spelled(figure: Estimate) -> str:
    """Return an estimate as a table shows it."""
    return f"{figure.value:.3f} ({figure.low:.3f}–{figure.high:.3f})"


def print_row(name: str, found: dict[str, np.ndarray]) -> None:
    """Print one line of the table of rendered cats."""
    figures = (share(found["right"]), share(found["hits"]), mean(found["precision"], 0, "levels"))
    cells = [name, *map(spelled, figures), f"{found['error'].max():.0e}"]
    print(f"| {' | '.join(cells)} |", flush=True)


def main() -> None:
    """Print Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photographs", type=Path)
    parser.add_argument("--levels", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument(
        "--probe", action="store_true", help="photographs: the head alone, one view"
    )
    args = parser.parse_args()
    params = read_params(ROOT / "params.yaml", Params)
    if args.probe:
        method = params.train.model_copy(update={"method": "linear_probe", "views": 1})
        params = params.model_copy(update={"train": method})
    if args.photographs:
        with clone(args.photographs) as folder:
            settings = [f"data.root=data/{args.photographs.name}", "data.info=data/none"]
            changes = [f"--set-param={one}" for one in settings]
            run(folder, "dvc", "exp", "run", "prepare", *changes)
            print("| levels | seed | out of fold | n |\n|---|---|---|---|")
            for levels in args.levels:
                for seed in args.seeds:
                    right = out_of_fold(folder, with_levels(params, levels, seed))
                    print(f"| {levels} | {seed} | {spelled(share(right))} | {len(right)} |")
        return
    print("| levels, seed | accuracy | pointing game | pixel precision | error of the sum |")
    print("|---|---|---|---|---|")
    for seed in args.seeds:
        rows = rendered(ROOT, params, args.levels, seed)
        for count, found in zip(args.levels, rows, strict=True):
            print_row(f"{count}, {seed}", found)


if __name__ == "__main__":
    main()
