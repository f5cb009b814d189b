"""Heat maps and counterfactuals against the ground truth, on rendered pairs not used for tuning.

Used as ``python -m benchmarks.truth``, with the model, the images and the embeddings of the working
tree's run (`dvc repro` first). Every method of `explain` is evaluated, at the last block and
before.
"""

import argparse
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from PIL import Image
from scipy.stats import spearmanr

from benchmarks.runs import share
from stages.embed.params import Params
from stages.explain.counterfactuals import find_swaps
from stages.explain.pasting import Pairs, defect_figures, flip_figures, pasted_flips, region_figures
from stages.explain.run import Run
from stages.synthesize.canvas import LABEL
from stages.synthesize.render import render_pair
from twincam.determinism import make_torch_deterministic
from twincam.explanations.gradcam import margin_maps
from twincam.explanations.heatmaps import METHODS, heat_maps
from twincam.explanations.localisation import coverage, localisation
from twincam.explanations.twins.neighbours import nearest
from twincam.files.metrics import read_metrics, spelled
from twincam.files.params_file import read_params
from twincam.files.shards import read_shards
from twincam.files.tables import read_split
from twincam.images.harmonising import harmonise, warp
from twincam.models.classifier import read_classifier
from twincam.models.forward import embed, logits_of
from twincam.statistics.intervals import bootstrap_mean
from twincam.statistics.margins import margin_classes
from twincam.statistics.vectors import unit

SIZE = 224
PARTS = ("tail", "ears", "eyes", "nose", "whiskers", "legs", "mouth")
SLOW = {"integrated_gradients": 100, "occlusion": 100}
"""Images for methods that take seconds per image."""
ALONE = {*SLOW, "fused"}
"""Methods without a choice of layer."""


class Rendered(NamedTuple):
    """A fresh pair, scaled to the classifier's square: bytes ``[S,S,3]``, mask and parts."""

    real: np.ndarray
    fake: np.ndarray
    mask: np.ndarray
    parts: np.ndarray
    family: str


def render(job: tuple[int, int, dict[str, Any], frozenset[str]]) -> Rendered:
    """Render one pair of a scene seed as `prepare` would deliver it."""
    seed, index, prepared, without = job
    pair = render_pair(seed, index, SIZE, without=without)
    size, crop = prepared["image_size"], prepared["harmonise"]
    real, fake = (
        harmonise(Image.fromarray(picture), size, crop, prepared["jpeg_quality"])
        for picture in (pair.real, pair.fake)
    )
    mask, parts = (warp(labels, size, crop) for labels in (pair.mask, pair.fake_parts))
    return Rendered(real, fake, mask, parts, pair.scene.family)


def rendered(
    scene: int, indices: Iterable[int], prepared: dict[str, Any], without: Sequence[str] = ()
) -> Iterator[Rendered]:
    """Yield the pairs of a scene seed, on every processor."""
    jobs = [(scene, index, prepared, frozenset(without)) for index in indices]
    with ProcessPoolExecutor() as pool:
        yield from pool.map(render, jobs, chunksize=8)


def heat_table(run: Run, masks: np.ndarray, families: np.ndarray) -> None:
    """Print how well every method matches the defects, at the last block and the three before.

    Grad-CAM also in closed form, at all the maps that the head reads, as `explain` draws it.
    """
    print(
        "| method, after block | n | pointing game (95 %) | lowest family | energy inside (95 %) |"
        f" IoU at half, best | pixel precision (95 %) | ms an image |\n|{'---|' * 8}"
    )
    started = time.monotonic()
    found = embed(run.network, run.images, run.evaluated, maps=True)
    weight = run.network.head.weight.detach().numpy()
    maps_of_all = margin_maps(found.maps, weight, found.logits)
    print_heat("gradcam, all", maps_of_all, masks, families, time.monotonic() - started)
    last = len(run.network.blocks) - 1
    for method in METHODS:
        for layer in (last,) if method in ALONE else (last, last - 1, last - 2, last - 3):
            count = SLOW.get(method, len(masks))
            images, logits = run.images[run.evaluated][:count], run.embedded.logits[run.evaluated]
            started = time.monotonic()
            maps = heat_maps(run.network, images, logits[:count], method, layer)
            seconds = time.monotonic() - started
            print_heat(f"{method}, {layer}", maps, masks[:count], families[:count], seconds)
    figures = spelled(localisation(maps_of_all, masks, families, 0))
    controls = {
        name: f"{figures[f'pointing_game_{name}']:.3f}"
        for name in ("uniform", "centre", "best_fixed_point", "other_image")
    }
    print(f"\nControls of the pointing game: {controls}")


def print_heat(
    name: str, maps: np.ndarray, masks: np.ndarray, families: np.ndarray, seconds: float
) -> None:
    """Print the row of one method."""
    found = spelled(localisation(maps, masks, families, 0))
    worst = min(found["by_family"].items(), key=lambda item: item[1]["pointing_game"])
    cells = [
        name,
        str(len(maps)),
        share(found, "pointing_game"),
        f"{worst[0]} {share(worst[1], 'pointing_game')}",
        share(found, "energy_in_mask"),
        f"{found['iou']:.2f}, {found['iou_best']:.2f}",
        share(found, "pixel_precision"),
        f"{1000 * seconds / len(maps):.0f}",
    ]
    print(f"| {' | '.join(cells)} |", flush=True)


def print_figures(title: str, found: dict[str, Any]) -> None:
    """Print figures, one a line."""
    print(f"\n{title}")
    for name, value in spelled(found).items():
        print(f"- {name}: {value}", flush=True)


def counterfactuals(run: Run, partners: np.ndarray, masks: np.ndarray) -> None:
    """Print the effect of swaps and repairs on fresh, recognised fakes."""

    def classify(images: np.ndarray) -> np.ndarray:
        return logits_of(run.network, images)

    features = unit(run.embedded.features)
    near = features[run.evaluated] @ features[run.train].T
    predicted = run.embedded.logits.argmax(axis=1)
    otherwise = predicted[run.evaluated][:, None] != predicted[run.train]
    places = nearest(near, 1, otherwise)[0][:, 0]
    exist, swap = find_swaps(run, places)
    query = run.evaluated[exist]
    pairs = Pairs(query, run.train[places[exist]], predicted[query])
    hits = pasted_flips(classify, run.images, pairs, swap.cells)
    found = flip_figures(classify, run.images, pairs, swap, hits, 0)
    print_figures("Counterfactuals of recognised fakes", found)
    print_figures("Swapped cells", defect_figures(swap.cells, masks[exist], 0))
    repairs = Pairs(run.evaluated, partners, predicted[run.evaluated])
    print_figures("The defect replaced", region_figures(classify, run.images, repairs, masks, 0))


def parts_removed(run: Run, pairs: Sequence[Rendered], seed: int, prepared: dict[str, Any]) -> None:
    """Print whether the heat on a part predicts what its removal does to the margin.

    FunnyBirds' single deletion (Hesse, Schaub-Meyer, Roth, ICCV 2023): by image, the rank
    correlation over its parts between the heat's sum on the part and the drop of the margin once
    the part is rendered away. Controls: the part's area, and another image's heat.
    """
    images = np.stack([pair.fake for pair in pairs])
    logits = logits_of(run.network, images)
    first, second = margin_classes(logits)
    rows = np.arange(len(pairs))
    last = len(run.network.blocks) - 1
    heat = heat_maps(run.network, images, logits, "gradcam", last)
    drops, shares, areas, others = (np.full((len(pairs), len(PARTS)), np.nan) for _ in range(4))
    for column, part in enumerate(PARTS):
        shown = np.stack([pair.parts == LABEL[part] for pair in pairs])
        covered = coverage(shown, *heat.shape[1:])
        bare = np.stack([p.fake for p in rendered(seed, range(len(pairs)), prepared, [part])])
        after = logits_of(run.network, bare)
        drop = (logits[rows, first] - logits[rows, second]) - (
            after[rows, first] - after[rows, second]
        )
        seen = shown.any(axis=(1, 2))
        drops[seen, column] = drop[seen]
        shares[seen, column] = (heat * covered).sum(axis=(1, 2))[seen]
        areas[seen, column] = covered.sum(axis=(1, 2))[seen]
        others[seen, column] = (np.roll(heat, 1, axis=0) * covered).sum(axis=(1, 2))[seen]
    found: dict[str, Any] = {}
    for name, values in (("heat", shares), ("area", areas), ("another image's heat", others)):
        per_image = np.array(
            [
                spearmanr(drop[seen], value[seen]).statistic
                for drop, value in zip(drops, values, strict=True)
                for seen in [~np.isnan(drop)]
                if seen.sum() > 2
            ]
        )
        per_image = np.nan_to_num(per_image)
        low, high = bootstrap_mean(per_image, 0, name)
        found[name] = f"{per_image.mean():.3f} ({low:.3f} to {high:.3f}), n = {len(per_image)}"
    print_figures("Parts rendered away: rank correlation with the drop of the margin", found)


def main() -> None:
    """Print Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scene", type=int, default=500)
    parser.add_argument("--pairs", type=int, default=500)
    parser.add_argument("--parts", type=int, default=100, help="pairs whose parts are removed")
    args = parser.parse_args()
    prepared = read_metrics(Path("data/preprocessing.json"))
    split = read_split(Path("data/split.csv"))
    train = np.flatnonzero(split["split"] == "train")
    known = read_shards(Path("data/prepared/images"))[train]
    threads = read_params(Path("params.yaml"), Params).run.threads
    make_torch_deterministic(0, "truth", threads=threads)
    network = read_classifier(Path("models/classifier.safetensors"))
    pairs = list(rendered(args.scene, range(args.pairs), prepared))
    fake = network.classes.index("fake")
    logits = logits_of(network, np.stack([pair.fake for pair in pairs]))
    caught = logits.argmax(axis=1) == fake
    print(f"{args.pairs} pairs of scene seed {args.scene}: {caught.sum()} fakes recognised\n")
    masks, families = np.stack([p.mask for p in pairs]), np.array([p.family for p in pairs])
    images = np.concatenate(
        [known, np.stack([pair.fake for pair in pairs]), np.stack([pair.real for pair in pairs])]
    )
    where = len(train) + np.arange(args.pairs)
    every = embed(network, images, np.arange(len(images)), maps=False)
    nothing = np.zeros((len(where), *images.shape[1:3]), np.uint8)
    run = Run(
        network=network,
        table=pd.DataFrame(),
        attributes=pd.DataFrame(),
        images=images,
        evaluated=where,
        train=np.arange(len(train)),
        embedded=every,
        maps=(),
        clip=np.zeros((len(images), 0), np.float32),
        masks=masks,
        marks=nothing,
    )
    heat_table(run, masks, families)
    recognised = run._replace(evaluated=where[caught])
    counterfactuals(recognised, where[caught] + args.pairs, masks[caught])
    parts_removed(run, pairs[: args.parts], args.scene, prepared)


if __name__ == "__main__":
    main()
