"""Explain every evaluated prediction: heat maps, twins, influence, counterfactuals."""

import argparse
from typing import Any

import numpy as np

from stages.explain.cases import (
    Run,
    case_of,
    choose_shown,
    describe,
    neighbour_table,
    read_explained,
    scale_of,
    truths,
)
from stages.explain.clip import clip_features
from stages.explain.finding import (
    CLIP,
    Scene,
    all_similarities,
    counterfactual_figures,
    find_swaps,
    known_images,
    mark_figures,
    partner_retrieval,
    shared_maps,
)
from stages.explain.heatmaps import heat_maps
from stages.explain.influence import influential
from stages.explain.neighbours import (
    DEFAULT,
    choose_space,
    find_neighbours,
    find_semifactuals,
    out_of_fold_figures,
    twin_figures,
)
from stages.explain.panels import draw_panel
from stages.explain.params import Explain, Params
from stages.explain.sheets import errors_sheet, peaks_sheet
from stages.explain.truth import heat_figures
from stages.params import read_params
from twincam.determinism import make_torch_deterministic
from twincam.explanations.maps import shows_place
from twincam.explanations.twins import nearest
from twincam.figures.drawing import save_picture
from twincam.files.arrays import read_array, read_finite, write_array
from twincam.files.atomic import atomic_folder
from twincam.files.command_line import parse_flags
from twincam.files.errors import run_stage
from twincam.files.messages import warn
from twincam.files.metrics import write_metrics
from twincam.files.tables import (
    EVALUATED_SPLITS,
    class_names,
    read_split,
    read_table,
    read_texts,
    write_table,
)
from twincam.models.classifier import check_images, read_classifier
from twincam.models.embedded import Embedded
from twincam.models.network import device


def main(argv: list[str]) -> None:
    """Run the stage."""
    args = parse_flags(
        argv,
        __doc__,
        "params",
        "split",
        "attributes",
        "images",
        "masks",
        "marks",
        "model",
        "embeddings",
        "clip-folder",
        "out-of-fold-twins",
        "predictions",
        "evaluated",
        "heatmaps",
        "swapped",
        "shared",
        "metrics",
        "twins",
        "panels",
        "peaks-png",
        "errors-png",
    )
    params = read_params(args.params, Params)
    scene = read_scene(args, params)
    truth, marks = (
        truths(read_array(file), scene.query, scene.images.shape[1])
        for file in (args.masks, args.marks)
    )
    metrics: dict[str, Any] = {"method": params.explain.methods[0]}
    heat = draw_heat(scene, params.explain, read_array(args.embeddings / "cams.npy"))
    families = scene.table["family"].to_numpy()[scene.query]
    metrics["heatmaps"] = {
        method: heat_figures(maps, truth, families, params.seed) for method, maps in heat.items()
    }
    if flat := [method for method, maps in heat.items() if not shows_place(maps)]:
        cure = "raise prepare.image_size, or choose an earlier explain.layer or other methods"
        warn("explain", f"maps of {', '.join(flat)} have one cell and show no place; {cure}")
    metrics["marks"] = mark_figures(scene, heat, marks, params.seed)
    with atomic_folder(args.heatmaps) as folder:
        for method, maps in heat.items():
            write_array(folder / f"{method}.npy", maps)
    explain_by_cases(scene, args, params, truth, metrics)
    draw(args, params)
    write_metrics(args.metrics, metrics)


def read_scene(args: argparse.Namespace, params: Params) -> Scene:
    """Read the run that is explained."""
    make_torch_deterministic(0, "explain", threads=params.run.threads)
    split, images = read_split(args.split), read_array(args.images)
    network = read_classifier(args.model)
    check_images(args.model, images)
    network.module.to(device())
    logits, features = (
        np.array(read_finite(args.embeddings / f"{name}.npy")) for name in ("logits", "features")
    )
    return Scene(
        network,
        describe(split, logits),
        images,
        np.flatnonzero(split["split"].isin(EVALUATED_SPLITS)),
        np.flatnonzero(split["split"] == "train"),
        Embedded(np.zeros((0, features.shape[1], 1, 1), np.float32), features, logits),
        np.zeros((len(split), 0), np.float32)
        if params.explain.clip == "none"
        else clip_features(images, params.explain.clip, args.clip_folder),
    )


def draw_heat(scene: Scene, explain: Explain, cams: np.ndarray) -> dict[str, np.ndarray]:
    """Return the maps ``[Q,h,w]`` of each method asked for; Grad-CAM of the last block is there."""
    last = len(scene.network.blocks) - 1
    layer = last if explain.layer is None else explain.layer
    images, logits = scene.images[scene.query], scene.seen.logits[scene.query]
    return {
        method: np.array(cams)
        if method == "gradcam" and layer == last
        else heat_maps(scene.network, images, logits, method, layer)
        for method in explain.methods
    }


def explain_by_cases(
    scene: Scene,
    args: argparse.Namespace,
    params: Params,
    truth: np.ndarray,
    metrics: dict[str, Any],
) -> None:
    """Find the training images that explain each case; write them and add their figures."""
    explain, seed = params.explain, params.seed
    known = known_images(scene)
    similarity = all_similarities(scene, known)
    out_of_fold = out_of_fold_figures(read_table(args.out_of_fold_twins), seed)
    space = choose_space(explain.space, out_of_fold, list(similarity))
    if explain.space not in ("auto", space):
        why = "explain.clip is none" if explain.space == CLIP else "too many images"
        warn("explain", f"explain.space={explain.space}: {why}; twins are in {space}")
    classes = class_names(scene.table)
    labels = scene.table["label"].map(classes.index).to_numpy()
    facts = read_texts(args.attributes).drop(columns="id")
    facts = facts.assign(family=scene.table["family"])
    sides = (scene.query, scene.train)
    metrics["space"] = space
    metrics["twins"] = twin_figures(
        similarity,
        scene.of(scene.query),
        known,
        (labels[scene.query], labels[scene.train]),
        (facts.iloc[scene.query], facts.iloc[scene.train]),
        out_of_fold,
        seed,
    )
    queries, trained = (scene.table.iloc[rows].reset_index(drop=True) for rows in sides)
    found = find_neighbours(similarity[space], queries, trained, explain.twins)
    partners = found["counterfactual"][0][:, 0]
    alike = queries["predicted"].to_numpy()[:, None] == trained["predicted"].to_numpy()
    between, told = (DEFAULT, scene.of_clip(scene.train)) if space == CLIP else (space, known)
    found["semifactual"] = find_semifactuals(
        between, similarity[space], partners, told, scene.weight, alike
    )
    if explain.influence_refits:
        influence = influential(
            (known.features, labels[scene.train]),
            scene.seen.features[scene.query],
            scene.weight,
            scene.bias,
            explain.influence_refits,
            seed,
        )
        metrics["influence"] = influence.metrics
        found["influential"] = nearest(influence.values, explain.twins)
    there, swap = find_swaps(scene, partners)
    metrics["counterfactual"] = counterfactual_figures(
        scene, scene.train[partners[there]], swap, there, truth, seed
    ) | partner_retrieval(scene, space, seed)
    shared = shared_maps(scene, known, found["twins"][0][:, 0], space)
    swapped = np.zeros(shared.shape, bool)
    swapped[there] = swap.cells
    write_array(args.shared, shared)
    write_array(args.swapped, swapped)
    write_table(args.twins, neighbour_table(found, queries, trained))


def draw(args: argparse.Namespace, params: Params) -> None:
    """Draw panels and sheets from what was written."""
    run = Run(*(getattr(args, name) for name in Run._fields))
    explained = read_explained(run, params.explain.methods[0])
    queries, images = explained.queries, explained.images[explained.rows]
    save_picture(args.peaks_png, peaks_sheet(queries, explained.heat, images))
    sheet = errors_sheet(queries, explained.heat, images, scale_of(explained.heat))
    save_picture(args.errors_png, sheet)
    with atomic_folder(args.panels) as folder:
        for index in choose_shown(queries, params.explain.correct_panels, params.seed):
            panel = draw_panel(case_of(explained, int(index)))
            save_picture(folder / f"{queries['id'].iloc[index]}.png", panel)


if __name__ == "__main__":
    run_stage(main, "explain")
