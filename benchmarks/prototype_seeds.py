"""Are prototypes the same when trained again with another seed?

Used as ``python -m benchmarks.prototype_seeds``: one classifier of the built-in cats, a prototype
network for each seed, compared pair by pair on the evaluated images. Prototypes have no common
numbers, so those of two networks are paired by the correlation of their similarities.
"""

import argparse
from itertools import combinations
from pathlib import Path

import numpy as np
from scipy.optimize import linear_sum_assignment

from benchmarks.runs import clone, experiment
from stages.protopnet.baselines import k_means_similarities
from stages.protopnet.examples import Examples
from stages.protopnet.measuring import measure
from stages.protopnet.params import Params
from stages.protopnet.training import fit_prototypes
from stages.prototypes import params as last_layer
from stages.prototypes.interpretability import kept_figures, top_prototypes
from stages.prototypes.last_layer import Fit, fit_layers
from stages.prototypes.quality import family_figures
from stages.prototypes.run import Run
from twincam.determinism import make_torch_deterministic
from twincam.explanations.prototypes.places import Field
from twincam.files.metrics import Estimate
from twincam.files.params_file import read_params
from twincam.files.shards import read_shards
from twincam.files.tables import EVALUATED_SPLITS, class_names, read_split
from twincam.models.classifier import read_classifier


def partners(alike: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """Return for each prototype another network's, ``[P]``: one to one, within its class.

    Args:
        alike: correlation of the first network's prototypes and the second's, ``[P,P]``.
        owner: the class of each prototype in both, ``[P]``.
    """
    apart = owner[:, None] != owner
    return np.asarray(linear_sum_assignment(np.where(apart, 10.0, -alike))[1])


def learn(folder: Path, seed: int) -> tuple[Run, Fit, Field]:
    """Train prototypes of the classifier in ``folder``; return run, fit and fields."""
    params = read_params(folder / "params.yaml", Params)
    make_torch_deterministic(seed, "protopnet", threads=params.run.threads)
    split = read_split(folder / "data" / "split.csv")
    kinds = ("images", "masks", "marks", "parts")
    images, masks, marks, parts = (
        read_shards(folder / "data" / "prepared" / kind) for kind in kinds
    )
    classes = class_names(split)
    examples = Examples(
        images,
        split["label"].map(classes.index).to_numpy(),
        np.flatnonzero(split["split"] == "train"),
        np.flatnonzero(split["split"].isin(EVALUATED_SPLITS)),
    )
    network = read_classifier(folder / "models" / "classifier.safetensors")
    k_means = k_means_similarities(network, examples, params.protopnet, seed)
    trained = fit_prototypes(network, examples, params.protopnet, seed)
    measured = measure(trained, k_means, examples, marks, parts, seed)
    run = Run(split, images, masks, marks, parts, classes, *examples[1:], measured)
    settings = read_params(folder / "params.yaml", last_layer.Params).prototypes
    kept = fit_layers(run, trained.net.owner.numpy(), settings).kept
    return run, kept, trained.net.field


def compare(first: tuple[Run, Fit], second: tuple[Run, Fit], seed: int) -> dict[str, float]:
    """Return how similarly two networks decide, by name.

    ``likeness`` is the mean correlation, from -1 to 1, of paired live prototypes, with that of all
    pairs of their class; the other figures are shares.
    """
    measured, layers = (
        [run.measured for run, _ in (first, second)],
        [first[1].layer, second[1].layer],
    )
    owner, weights = layers[0].owner, [layer.weight for layer in layers]
    both = np.corrcoef(measured[0].train_similarity, measured[1].train_similarity, rowvar=False)
    alike = both[: len(owner), len(owner) :]
    pairs = partners(alike, owner)
    predicted = [fit.logits.argmax(axis=1) for _, fit in (first, second)]
    tops = [
        top_prototypes(one.evaluated_similarity, layer, classes)
        for one, layer, classes in zip(measured, layers, predicted, strict=True)
    ]
    number = np.argsort(pairs)
    cells = measured[0].evaluated_cells, measured[1].evaluated_cells[:, pairs]
    kept = kept_figures("seed", tops[0], number[tops[1]], *cells, seed)
    live = (weights[0] > 0) & (weights[1][pairs] > 0)
    return {
        "prediction": float((predicted[0] == predicted[1]).mean()),
        "likeness": float(alike[np.arange(len(owner)), pairs][live].mean()),
        "likeness_class": float(alike[owner[:, None] == owner].mean()),
        **{name: one.value for name, one in kept.items() if isinstance(one, Estimate)},
    }


def main() -> None:
    """Print Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    args = parser.parse_args()
    with clone() as folder:
        experiment(folder, {}, "train")
        fits = []
        print("| seed | before | after | refitted | live | families found |")
        print("|---|---|---|---|---|---|", flush=True)
        for seed in args.seeds:
            run, fit, field = learn(folder, seed)
            fits.append((run, fit))
            steps = run.measured.logits_before, run.measured.logits_after, fit.logits
            truth = run.evaluated_labels
            right = [f"{(found.argmax(axis=1) == truth).mean():.3f}" for found in steps]
            families = family_figures(run, fit.layer, field)
            shown = f"{families['found_count']} of {families['found_n']}"
            cells = [seed, *right, len(fit.layer.live), shown]
            print(f"| {' | '.join(map(str, cells))} |", flush=True)
        found = [compare(one, other, 0) for one, other in combinations(fits, 2)]
        print(f"\n| over {len(found)} pairs of seeds | mean | least | most |\n|---|---|---|---|")
        for name in found[0]:
            values = [one[name] for one in found]
            print(f"| {name} | {np.mean(values):.3f} | {min(values):.3f} | {max(values):.3f} |")


if __name__ == "__main__":
    main()
