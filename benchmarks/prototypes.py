"""Is the prototype network sound? Out of fold, over seeds, compared with its classifier.

Used as ``python -m benchmarks.prototypes path/to/data``, a folder with `cats-ddpm` and `cats-sd`.
Every image of `cats-ddpm` that is not a duplicate is evaluated once for each seed, by networks
trained on two thirds of the others; folds and all training change with the seed.
"""

import argparse
import copy
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from benchmarks.runs import clone, experiment, results, run, share
from stages.crossval.folds import divide, refits
from stages.crossval.params import Crossval
from stages.protopnet.baselines import k_means_similarities
from stages.protopnet.examples import Examples
from stages.protopnet.locality import effective_fields
from stages.protopnet.params import Params, ProtoPNet
from stages.protopnet.training import fit_prototypes
from stages.prototypes import params as last_layer
from stages.prototypes.baselines import logistic_logits
from stages.prototypes.guards import duplicates_guard, live_by_class
from stages.prototypes.last_layer import fit_layer
from stages.prototypes.params import Prototypes
from stages.train.params import Params as TrainParams
from twincam.determinism import generator, make_torch_deterministic
from twincam.explanations.prototypes.contributions import layer_logits
from twincam.files.metrics import spelled
from twincam.files.params_file import read_params
from twincam.files.shards import read_shards
from twincam.files.tables import class_names, read_split, read_table
from twincam.models.forward import logits_of
from twincam.models.network import Network
from twincam.models.weights import initial_network
from twincam.statistics.estimates import difference, mean
from twincam.statistics.intervals import stratified_resamples
from twincam.training.fitting import Recipe
from twincam.training.labelled import LabelledImages, labelled_images
from twincam.training.refits import Evaluate, Refit, Results, refit_function

FOLDS = 3
MODELS = ("kmeans", "logistic", "before", "after", "refitted", "unseen")
STRENGTHS = (0.0, 0.005, 0.01, 0.02, 0.05, 0.1)
PARTS = ("mark", "time", "folds", "unequal", "cuts", "sizes", "generators")
PHOTOGRAPHS = {
    "data.root": "data/cats-ddpm",
    "data.info": "data/none",
    "prototypes.on_collapse": "warn",
}
NOWHERE = Path("data/none")


class Settings(NamedTuple):
    """How prototypes are trained, and their last layer fitted."""

    protopnet: ProtoPNet
    prototypes: Prototypes


def fit_both(
    images: np.ndarray, labels: np.ndarray, settings: Settings, seed: int, *, baselines: bool
) -> Evaluate:
    """Return the measure that keeps the logits of classifier and prototypes, and their form.

    Args:
        images: bytes ``[N,S,S,3]``.
        labels: class indices ``[N]``.
        settings: blocks ``protopnet`` and ``prototypes``.
        seed: of the prototype network.
        baselines: whether k-means prototypes are also fitted.
    """

    def measure(network: Network, part: Refit) -> Results:
        learning, penalties = settings
        truth, score = labels[part.train], labels[part.held_out]
        found = {"classifier": logits_of(network, images[part.held_out])}
        examples = Examples(images, labels, part.train, part.held_out)
        own = copy.deepcopy(network)
        trained = fit_prototypes(own, examples, learning, seed)
        net, owner = trained.net, trained.net.owner.cpu().numpy()

        def fitted(train: np.ndarray, evaluated: np.ndarray) -> np.ndarray:
            return layer_logits(fit_layer(train, owner, truth, penalties), evaluated)

        if baselines:
            found["kmeans"] = fitted(*k_means_similarities(network, examples, learning, seed))
        similar = trained.train.similarity, trained.evaluated.similarity
        alive, accuracy = [], []
        for strength in STRENGTHS:
            changed = penalties.model_copy(update={"l1": strength})
            layer = fit_layer(similar[0], owner, truth, changed)
            alive.append(list(live_by_class(layer, network.classes).values()))
            accuracy.append((layer_logits(layer, similar[1]).argmax(axis=1) == score).mean())
        sources = duplicates_guard(trained.patches)
        sources_in = np.searchsorted(part.train, trained.patches[:, 0])
        return {
            **found,
            "logistic": logistic_logits(similar[0], truth, similar[1]),
            "before": trained.before,
            "after": trained.after,
            "refitted": fitted(*similar),
            "unseen": fitted(without_sources(similar[0], sources_in, owner, truth), similar[1]),
            "distinct": np.array(sources["distinct_images"]),
            "copies": np.array(sources["copies"]),
            "alive": np.array(alive),
            "accuracy": np.array(accuracy),
            "fields": effective_fields(net, images, trained.patches),
            "field": np.array(net.field),
        }

    return measure


def without_sources(
    best: np.ndarray, sources: np.ndarray, owner: np.ndarray, labels: np.ndarray
) -> np.ndarray:
    """Return best similarities ``[N,P]`` in which no prototype's own source resembles it perfectly.

    It is given the mean of the class's other images instead.

    Args:
        best: best similarities of the training images.
        sources: row of each prototype's source, ``[P]``.
        owner: class of each prototype, ``[P]``.
        labels: class indices of the images, ``[N]``.
    """
    changed = best.copy()
    for prototype, source in enumerate(sources):
        others = np.flatnonzero(labels == owner[prototype])
        others = others[others != source]
        changed[source, prototype] = best[others, prototype].mean()
    return changed


def fractions(labels: np.ndarray, seed: int) -> np.ndarray:
    """Return rows that leave a third of one class, of the first for even seeds, else the second."""
    own = np.flatnonzero(labels == seed % 2)
    kept = generator(seed, "unequal").permutation(own)[: len(own) // 3]
    return np.sort(np.concatenate([np.flatnonzero(labels != seed % 2), kept]))


def out_of_fold(
    examples: LabelledImages,
    split: pd.DataFrame,
    params: Path,
    seed: int,
    measure: Evaluate,
    checkpoints: Path,
) -> Iterator[tuple[Refit, Results]]:
    """Yield each fold and its results; the classifier is retrained for each.

    Args:
        examples: the N images and their class indices.
        split: the rows of ``data/split.csv`` that take part.
        params: ``params.yaml``.
        seed: of folds and fits.
        measure: what to do with each fold's classifier.
        checkpoints: folder for finished refits.
    """
    trained, classes = read_params(params, TrainParams), class_names(split)
    divided = divide(split[["id", "label", "group"]], Crossval(folds=FOLDS, repeats=1), seed)
    plan = list(refits(divided))
    make_torch_deterministic(seed, "prototypes", threads=trained.run.threads)
    network = initial_network(trained.model, NOWHERE, classes)
    recipe = Recipe(trained.train, seed)
    results_of = refit_function(network, examples, plan, measure, recipe, checkpoints)
    for number, part in enumerate(plan):
        yield part, results_of(number)


def gap_by_class(labels: np.ndarray, gaps: np.ndarray) -> tuple[float, float, float]:
    """Return a difference of balanced accuracies and its 95 % interval, clustered by image.

    Each seed's is balanced on its own before the mean over seeds: where classes are unequal, and
    another one is the smaller from seed to seed, pooling would give the small class little weight.

    Args:
        labels: class indices of the images, ``[N]``.
        gaps: by seed and image, one model right minus the other right, ``[S,N]``; NaN where it was
            not evaluated.
    """
    judged = ~np.isnan(gaps).all(axis=0)
    labels, gaps = labels[judged], gaps[:, judged]

    def balanced(rows: np.ndarray) -> float:
        own = [rows[labels[rows] == k] for k in np.unique(labels)]
        return float(np.mean([np.nanmean(gaps[:, some], axis=1) for some in own]))

    drawn = [balanced(draw) for draw in stratified_resamples(labels, 0, "gap")]
    low, high = np.percentile(drawn, [2.5, 97.5])
    return balanced(np.arange(len(labels))), float(low), float(high)


def print_seeds(
    name: str,
    split: pd.DataFrame,
    runs: Mapping[int, Sequence[tuple[Refit, Results]]],
) -> None:
    """Print a row for each seed and the differences from the classifier over all of them."""
    classes = class_names(split)
    labels = split["label"].map(classes.index).to_numpy()
    right = {model: np.full((len(runs), len(labels)), np.nan) for model in ("classifier", *MODELS)}
    for number, folds in enumerate(runs.values()):
        for part, found in folds:
            for model, own in right.items():
                own[number, part.held_out] = found[model].argmax(axis=1) == labels[part.held_out]
    print(f"\n| {name}: seed | n | {' | '.join(right)} | lowest recall ", end="")
    print("| the classifier's | distinct sources | copies |\n" + "|---" * (len(right) + 6) + "|")
    for number, (seed, folds) in enumerate(runs.items()):
        cells = [f"{_balanced(own[number], labels):.3f}" for own in right.values()]
        distinct = "/".join(str(found["distinct"]) for _, found in folds)
        copies = sum(int(found["copies"]) for _, found in folds)
        n = int((~np.isnan(right["classifier"][number])).sum())
        for model in ("refitted", "classifier"):
            recalls = [np.nanmean(right[model][number, labels == k]) for k in range(len(classes))]
            cells.append(f"{min(recalls):.3f} ({classes[int(np.argmin(recalls))]})")
        print(f"| {seed} | {n} | {' | '.join(cells)} | {distinct} | {copies} |")
    print(f"\n| {name}: difference of balanced accuracy | mean (95 %, clustered by image) |")
    print("|---|---|")
    pairs = [(model, "classifier") for model in MODELS]
    pairs += [("refitted", "kmeans"), ("after", "before"), ("refitted", "before")]
    pairs += [("unseen", "refitted")]
    for one, other in pairs:
        mean, low, high = gap_by_class(labels, right[one] - right[other])
        print(f"| {one} minus {other} | {mean:+.3f} ({low:+.3f} to {high:+.3f}) |")
    print(
        f"\n| {name}: l1 | accuracy, mean of the fits | live prototypes by class, least and mean |"
    )
    print("|---|---|---|")
    every = [found for folds in runs.values() for _, found in folds]
    for number, strength in enumerate(STRENGTHS):
        alive = np.array([found["alive"][number] for found in every])
        shown = ", ".join(
            f"{label} {alive[:, k].min()}, {alive[:, k].mean():.1f}"
            for k, label in enumerate(classes)
        )
        accuracy = np.mean([found["accuracy"][number] for found in every])
        print(f"| {strength} | {accuracy:.3f} | {shown} |", flush=True)


def _balanced(right: np.ndarray, labels: np.ndarray) -> float:
    return float(np.mean([np.nanmean(right[labels == k]) for k in np.unique(labels)]))


def at_values(
    images: np.ndarray,
    labels: np.ndarray,
    settings: Settings,
    varied: tuple[str, Sequence[int]],
    seed: int,
) -> Evaluate:
    """Return the measure that keeps what `fit_both` finds from one classifier.

    By the values of ``varied``, the name of a parameter of ``protopnet`` and its values.
    """
    name, values = varied

    def measure(network: Network, part: Refit) -> Results:
        found: dict[str, np.ndarray] = {}
        for value in values:
            learning = settings.protopnet.model_copy(update={name: value})
            own = settings._replace(protopnet=learning)
            one = fit_both(images, labels, own, seed, baselines=False)(network, part)
            found |= {f"{value} {what}": figure for what, figure in one.items()}
        return found

    return measure


def print_values(
    labels: np.ndarray,
    runs: Sequence[Sequence[tuple[Refit, Results]]],
    varied: tuple[str, Sequence[int]],
) -> None:
    """Print, by value, how local a patch is, and accuracy out of fold in the mean over the runs."""
    name, values = varied
    print(f"\n| {name} | receptive field | effective field, median | ", end="")
    print("accuracy (95 %) | minus classifier (95 %) |\n|---|---|---|---|---|")
    every = [found for folds in runs for _, found in folds]
    for value in values:
        right, reference = (
            np.mean([hits(labels, folds, f"{value} {model}") for folds in runs], axis=0)
            for model in ("refitted", "classifier")
        )
        accuracy = {"accuracy": mean(right, 0, name, value)}
        apart = difference(right, reference, 0, name, value)
        fields = np.concatenate([found[f"{value} fields"] for found in every])
        print(f"| {value} | {every[0][f'{value} field'][0]} px | ", end="")
        print(f"{np.median(fields):.0f} px | {share(spelled(accuracy), 'accuracy')} | ", end="")
        print(f"{apart.value:+.3f} ({apart.low:+.3f} to {apart.high:+.3f}) |", flush=True)


def hits(labels: np.ndarray, folds: Sequence[tuple[Refit, Results]], name: str) -> np.ndarray:
    """Return whether the logits of that name classify each image correctly, ``[N]``."""
    right = np.full(len(labels), np.nan)
    for part, found in folds:
        right[part.held_out] = found[name].argmax(axis=1) == labels[part.held_out]
    return right


def print_generators(folder: Path, data: Path) -> None:
    """Print the figures with one class per generator of `cats-sd`, and the photographs."""
    own = folder / "data" / "generators"
    for path in sorted(path for path in (data / "cats-sd").rglob("*") if path.is_file()):
        label = "real" if path.parent.name == "real" else path.name.split("_")[0]
        (own / label).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, own / label)
    changes = {
        "data.root": "data/generators",
        "data.info": "data/none",
        "prototypes.on_collapse": "warn",
        "crossval.folds": 0,
    }
    seconds = experiment(folder, changes, "prototypes")
    split, found = results(folder, "split", "prototypes")
    val = found["val"]
    print("\n| cats-sd, generators as classes | |\n|---|---|")
    print(f"| images | {split['classes']} |")
    for model, one in found["comparison"].items():
        print(f"| {model} | {share(one, 'accuracy')}, balanced {one['balanced_accuracy']:.3f} |")
    print(f"| n, lowest recall | {val['n']}, {val['lowest_class_recall']:.3f} |")
    print(f"| prototypes | {found['prototypes']} |")
    print(f"| guards broken | {'; '.join(found['guards_broken']) or 'none'} |")
    print(f"| seconds, all stages | {seconds:.0f} |", flush=True)


def print_cure(folder: Path) -> None:
    """Print the effect of removing the prototypes that show the planted mark, or others instead.

    They are identified in the sheets, so from training images only: the mark lies in their patch,
    or is their best match in at least half of the marked images.
    """
    changes: dict[str, object] = {
        "synthesize.shortcut": "local",
        "crossval.folds": 0,
        "prototypes.on_collapse": "warn",
        "prototypes.remove": [],
    }
    experiment(folder, changes, "prototypes")
    table = read_table(folder / "reports" / "prototypes.csv")
    shows = (table["on_mark"] > 0) | (table["peaks_on_mark"] >= 0.5)
    named = table.loc[shows, "prototype"].tolist()
    others = table.loc[~shows & (table["class"] == "fake"), "prototype"].to_numpy()
    drawn = sorted(generator(0, "others").permutation(others)[: len(named)].tolist())
    print("\n| removed | images | n | correct before | correct after | change (95 %) |")
    print("|---|---|---|---|---|---|")
    for what, ids in (("shows the mark", named), ("as many others", drawn)):
        removals = [{"id": number, "reason": what} for number in ids]
        experiment(folder, changes | {"prototypes.remove": removals}, "prototypes")
        (found,) = results(folder, "prototypes")
        removed = found["removed"]
        cases = {"all evaluated": removed["all"]} | {
            f"{label}, {case}": one
            for label, some in removed["by_mark"].items()
            for case, one in some.items()
        }
        for case, one in cases.items():
            cells = [f"{what}: {ids}", case, one["n"], share(one, "before"), share(one, "after")]
            print(f"| {' | '.join(map(str, cells))} | {one['change']:+.3f} ", end="")
            print(f"({one['change_low']:+.3f} to {one['change_high']:+.3f}) |", flush=True)


def print_seconds(folder: Path) -> None:
    """Print the stages' run time on `cats-ddpm`, and whether a second run writes the same bytes."""
    experiment(folder, PHOTOGRAPHS, "embed")
    seconds, locks = [], []
    for _ in range(2):
        started = time.monotonic()
        run(folder, "dvc", "repro", "--single-item", "--force", "protopnet", "prototypes")
        seconds.append(f"{time.monotonic() - started:.0f}")
        locks.append((folder / "dvc.lock").read_bytes())
    same = "the same" if locks[0] == locks[1] else "other"
    print(f"\ncats-ddpm: the stages take {' and '.join(seconds)} s; ", end="")
    print(f"the second run writes {same} bytes", flush=True)


def main() -> None:
    """Print Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--cuts", nargs="+", type=int, default=[1, 2, 3, 4, 5, 6])
    parser.add_argument("--sizes", nargs="+", type=int, default=[5, 10, 20])
    args = parser.parse_args()
    with clone(args.data / "cats-ddpm") as folder:
        if "mark" in args.parts:
            print_cure(folder)
        if "time" in args.parts:
            print_seconds(folder)
        experiment(folder, PHOTOGRAPHS, "prepare")
        params, scratch = folder / "params.yaml", folder / ".checkpoints"
        split = read_split(folder / "data" / "split.csv")
        images = read_shards(folder / "data" / "prepared" / "images")[:]
        penalties = read_params(params, last_layer.Params).prototypes
        settings = Settings(read_params(params, Params).protopnet, penalties)

        labels = split["label"].map(class_names(split).index).to_numpy()
        examples = labelled_images(images, split, class_names(split))

        def print_varied(name: str, values: Sequence[int], seeds: Sequence[int]) -> None:
            runs = []
            for seed in seeds:
                measure = at_values(images, labels, settings, (name, values), seed)
                kept = scratch / f"{name}-{seed}"
                runs.append(list(out_of_fold(examples, split, params, seed, measure, kept)))
                print_values(labels, runs, (name, values))

        for part in ("folds", "unequal"):
            if part in args.parts:
                runs = {}
                for seed in args.seeds:
                    rows = fractions(labels, seed) if part == "unequal" else np.arange(len(split))
                    measure = fit_both(images, labels, settings, seed, baselines=True)
                    kept = scratch / f"{part}-{seed}"
                    folds = out_of_fold(examples, split.iloc[rows], params, seed, measure, kept)
                    runs[seed] = list(folds)
                    print_seeds(f"{part}, up to seed {seed}", split, runs)
        if "cuts" in args.parts:
            print_varied("after_block", args.cuts, [0])
        if "sizes" in args.parts:
            print_varied("prototypes_per_class", args.sizes, args.seeds)
        if "generators" in args.parts:
            print_generators(folder, args.data)


if __name__ == "__main__":
    main()
