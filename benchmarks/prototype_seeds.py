"""Do prototypes read the same when they are learnt again from another seed?

Used as ``python -m benchmarks.prototype_seeds``: one classifier of the built-in cats, a prototype
network for each seed, compared pair by pair on the evaluated images. Prototypes have no common
numbers, so those of two networks are paired by how alike they rate the training images.
"""

import argparse
from itertools import combinations

import numpy as np
from scipy.optimize import linear_sum_assignment

from benchmarks.runs import clone, experiment
from stages.params import read_params
from stages.protopnet.interpretability import kept_figures, top_prototypes
from stages.protopnet.params import Params
from stages.protopnet.quality import family_figures
from stages.protopnet.scene import read_scene
from stages.protopnet.training import Fitted, fit_prototypes
from twincam.determinism import make_torch_deterministic
from twincam.models.classifier import read_classifier
from twincam.models.network import receptive_field


def partners(alike: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """Return for each prototype another network's, ``[P]``: one to one, within its class.

    Args:
        alike: correlation of the first network's prototypes and the second's, ``[P,P]``.
        owner: the class of each prototype in both, ``[P]``.
    """
    apart = owner[:, None] != owner
    return np.asarray(linear_sum_assignment(np.where(apart, 10.0, -alike))[1])


def compare(first: Fitted, second: Fitted, seed: int) -> dict[str, float]:
    """Return how alike two networks judge and read, by name.

    ``likeness`` is the mean correlation, from -1 to 1, of paired prototypes that give points,
    beside that of all pairs of their class; the other figures are shares.
    """
    owner = first.net.owner.cpu().numpy()
    both = np.corrcoef(first.known.similarity, second.known.similarity, rowvar=False)
    alike = both[: len(owner), len(owner) :]
    pairs = partners(alike, owner)
    tops, points = [], []
    for fitted in (first, second):
        points.append(fitted.net.points.cpu().numpy())
        predicted = fitted.refitted.argmax(axis=1)
        tops.append(top_prototypes(fitted.seen.similarity, points[-1], owner, predicted))
    number = np.argsort(pairs)
    kept = kept_figures(
        "seed", tops[0], number[tops[1]], first.seen.cells, second.seen.cells[:, pairs], seed
    )
    live = (points[0] > 0) & (points[1][pairs] > 0)
    same = first.refitted.argmax(axis=1) == second.refitted.argmax(axis=1)
    return {
        "prediction": float(same.mean()),
        "likeness": float(alike[np.arange(len(owner)), pairs][live].mean()),
        "likeness_class": float(alike[owner[:, None] == owner].mean()),
        **{name: value for name, value in kept.items() if isinstance(value, float)},
    }


def main() -> None:
    """Print Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    args = parser.parse_args()
    with clone() as folder:
        experiment(folder, {}, "train")
        names = ("split.csv", "images.npy", "masks.npy", "marks.npy", "parts.npy")
        scene = read_scene(*(folder / "data" / name for name in names))
        params = read_params(folder / "params.yaml", Params)
        settings = params.protopnet
        path = folder / "models" / "classifier.safetensors"
        stride = receptive_field(read_classifier(path).blocks, settings.after_block)[1]
        fits = []
        print("| seed | before | after | refitted | live | families found |")
        print("|---|---|---|---|---|---|", flush=True)
        for seed in args.seeds:
            make_torch_deterministic(seed, "protopnet", threads=params.run.threads)
            fitted = fit_prototypes(
                read_classifier(path),
                scene.images,
                scene.train,
                scene.labels[scene.train],
                scene.watched,
                settings,
                seed,
            )
            fits.append(fitted)
            stages = (fitted.before, fitted.after, fitted.refitted)
            right = [f"{(found.argmax(axis=1) == scene.truth).mean():.3f}" for found in stages]
            live = int((fitted.net.points > 0).sum())
            families = family_figures(scene, fitted, stride)
            shown = f"{families['found_count']} of {families['found_n']}"
            cells = [seed, *right, live, shown]
            print(f"| {' | '.join(map(str, cells))} |", flush=True)
        found = [compare(one, other, 0) for one, other in combinations(fits, 2)]
        print(f"\n| over {len(found)} pairs of seeds | mean | least | most |\n|---|---|---|---|")
        for name in [name for name in found[0] if not name.endswith(("_low", "_high"))]:
            values = [one[name] for one in found]
            print(f"| {name} | {np.mean(values):.3f} | {min(values):.3f} | {max(values):.3f} |")


if __name__ == "__main__":
    main()
