"""Does a head over several resolutions classify better, and point better?

Used as ``python -m benchmarks.levels`` with the built-in cats of the working tree (`dvc repro
prepare` first), or with ``--photographs DATA/cats-ddpm --others DATA/oxford-cats/images``, out of
fold over all its images, by the mean over deliveries, and on images of other sources. The recipe is
that of `params.yaml`; only the seed and `model.levels` change.
"""

import argparse
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from benchmarks.runs import ROOT, clone, experiment
from benchmarks.tables import print_cells, print_heading, spelled
from stages.crossval.folds import divide, refits
from stages.crossval.params import Crossval
from stages.train.params import Params
from twincam.confidence.scores import mean_logits
from twincam.deliveries import read_deliveries
from twincam.determinism import make_torch_deterministic
from twincam.explanations.gradcam import margin_maps
from twincam.explanations.localisation import pixel_precision, pointing_hits, targets
from twincam.files.folders import is_sidecar, walk
from twincam.files.params_file import read_params
from twincam.files.shards import read_masks, read_shards
from twincam.files.tables import class_names, read_split
from twincam.images.params import Prepare
from twincam.models.forward import embed, logits_of
from twincam.models.network import Network
from twincam.models.runtimes import compiled
from twincam.models.weights import initial_network
from twincam.statistics.estimates import mean, share
from twincam.statistics.margins import margin_classes, margins
from twincam.training.activations import augmented_inputs
from twincam.training.fitting import Recipe, fit
from twincam.training.labelled import LabelledInputs, labelled_images, labelled_inputs
from twincam.training.originals import Originals, delivered_logits
from twincam.training.refits import Refit, Results, refit_function

MAX_PIXELS = 10**8


def with_levels(params: Params, levels: int, seed: int) -> Params:
    """Return ``params`` with another seed and number of levels, on one thread."""
    model = params.model.model_copy(update={"levels": levels})
    threads = params.run.model_copy(update={"threads": 1})
    return params.model_copy(update={"model": model, "seed": seed, "run": threads})


def started(params: Params, stage: str, classes: Sequence[str]) -> Network:
    """Return the network that ``stage`` would start to train."""
    make_torch_deterministic(params.seed, stage, threads=params.run.threads)
    return initial_network(params.model, Path(params.model.weights_file), classes)


def rendered(folder: Path, recipes: Iterable[Params]) -> Iterator[dict[str, np.ndarray]]:
    """Yield, for each of ``recipes``, what `print_row` shows, of the images at ``folder``/data.

    And the CPU ``seconds`` of training, of one element. The frozen blocks run once for all recipes
    that freeze the same ones; all have one seed.
    """
    split = read_split(folder / "data/split.csv")
    images = read_shards(folder / "data/prepared/images")
    classes = class_names(split)
    data = labelled_images(images, split, classes)
    train, val = (np.flatnonzero(split["split"] == name) for name in ("train", "val"))
    masks = read_masks(folder / "data/prepared/masks", val, images.shape[1])
    masked = masks.any(axis=(1, 2))
    inputs: dict[int, LabelledInputs] = {}
    for own in recipes:
        network, cut = started(own, "train", classes), own.train.unfreeze_from
        if cut not in inputs:
            frozen = augmented_inputs(network, images, train, cut, own.train, own.seed)
            inputs[cut] = labelled_inputs(frozen, data, train)
        before = time.process_time()
        fit(network, inputs[cut], None, Recipe(own.train, own.seed))
        seconds = time.process_time() - before
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
            "seconds": np.array([seconds]),
        }


def out_of_fold(
    folder: Path, root: Path, params: Params, others: dict[str, np.ndarray]
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Score the photographs at ``folder`` and other images by networks not trained on them.

    Args:
        folder: of a project whose images are prepared.
        root: of the images.
        params: how the five networks are trained.
        others: deliveries of images of other sources by their names, bytes ``[M,D,S,S,3]``.

    Returns:
        The scores, means over the deliveries, of each photograph, ``[N,K]``, and of the others by
        each of the five networks, ``[5,M,K]``.
    """
    split = read_split(folder / "data/split.csv")
    images = read_shards(folder / "data/prepared/images")
    classes = class_names(split)
    data = labelled_images(images, split, classes)
    plan = list(refits(divide(split, Crossval(folds=5, repeats=1), params.seed)))
    prepare = Prepare.model_validate(params.prepare)
    files = [root / path for path in split["path"]]
    originals = Originals(files, split["sha256"].tolist(), prepare, MAX_PIXELS, threads=1)
    network = started(params, "crossval", classes)

    def evaluate(network: Network, part: Refit) -> Results:
        fast = compiled(network, params.run)
        own = mean_logits(delivered_logits(fast, originals, part.held_out))
        return {"own": own, **{name: scores(fast, squares) for name, squares in others.items()}}

    def scores(network: Network, squares: np.ndarray) -> np.ndarray:
        logits = logits_of(network, squares.reshape(-1, *squares.shape[2:]))
        return mean_logits(logits.reshape(*squares.shape[:2], -1))

    with tempfile.TemporaryDirectory() as scratch:
        recipe = Recipe(params.train, params.seed)
        results = refit_function(network, data, plan, evaluate, recipe, Path(scratch))
        found = [results(number) for number in range(len(plan))]
    own = np.empty((len(split), len(classes)))
    for part, one in zip(plan, found, strict=True):
        own[part.held_out] = one["own"]
    return own, {name: np.stack([one[name] for one in found]) for name in others}


def recognised(
    folder: Path, own: np.ndarray, others: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Return which photographs the scores of `out_of_fold` classify correctly, bool ``[N]``, and
    which share of the networks takes each of the others for real, ``[M]``.
    """
    split = read_split(folder / "data/split.csv")
    classes = np.array(class_names(split))
    real = {
        name: (classes[scores.argmax(axis=2)] == "real").mean(axis=0)
        for name, scores in others.items()
    }
    return {"out of fold": classes[own.argmax(axis=1)] == split["label"].to_numpy(), **real}


@contextmanager
def prepared(photographs: Path, **settings: object) -> Iterator[Path]:
    """Yield a clone whose photographs are prepared, with ``settings`` of block ``prepare``."""
    with clone(photographs) as folder:
        changes = {f"prepare.{name}": value for name, value in settings.items()}
        changes |= {"data.root": f"data/{photographs.name}", "data.info": "data/none"}
        experiment(folder, changes, "prepare")
        yield folder


def deliveries_in(folder: Path, prepare: Prepare) -> np.ndarray:
    """Return the deliveries of every image below ``folder``, bytes ``[M,D,S,S,3]``."""
    files = [path for path, fault in walk(folder) if not fault and not is_sidecar(path.name)]
    return np.stack([read_deliveries(path, prepare, MAX_PIXELS)[1] for path in sorted(files)])


def print_row(name: str, found: dict[str, np.ndarray]) -> None:
    """Print one line of the table of rendered cats."""
    figures = (share(found["right"]), share(found["hits"]), mean(found["precision"], 0, "levels"))
    print_cells(name, *map(spelled, figures), f"{found['error'].max():.0e}")


def mean_of(runs: Sequence[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Return the mean over runs of each array."""
    return {name: np.mean([one[name] for one in runs], axis=0) for name in runs[0]}


def main() -> None:
    """Print Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photographs", type=Path)
    parser.add_argument("--others", type=Path, nargs="*", default=[], help="other sources' images")
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
        prepare = Prepare.model_validate(params.prepare)
        others = {f"`{path}`": deliveries_in(path, prepare) for path in args.others}
        with prepared(args.photographs) as folder:
            print_heading("levels", "seed", "out of fold", *(f"{one} real" for one in others))
            root = folder / "data" / args.photographs.name
            for levels in args.levels:
                every = []
                for seed in args.seeds:
                    own = with_levels(params, levels, seed)
                    found = recognised(folder, *out_of_fold(folder, root, own, others))
                    every.append(list(found.values()))
                    print_cells(levels, seed, *(spelled(share(one)) for one in every[-1]))
                means = (np.mean(one, axis=0) for one in zip(*every, strict=True))
                print_cells(levels, "all", *(spelled(mean(one, 0, "seeds")) for one in means))
        return
    print_heading(
        "levels, seed", "accuracy", "pointing game", "pixel precision", "error of the sum"
    )
    by_level: dict[int, list[dict[str, np.ndarray]]] = {count: [] for count in args.levels}
    for seed in args.seeds:
        rows = rendered(ROOT, [with_levels(params, count, seed) for count in args.levels])
        for count, found in zip(args.levels, rows, strict=True):
            by_level[count].append(found)
            print_row(f"{count}, {seed}", found)
    for count, seeds in by_level.items():
        print_row(f"{count}, all", mean_of(seeds))


if __name__ == "__main__":
    main()
