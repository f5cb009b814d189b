"""Heat maps of every evaluated image by each method, and how well they match the masks."""

from typing import Any

import numpy as np

from stages.explain.params import Params
from stages.explain.run import Explanation, Run, correct
from twincam.explanations.heatmaps import heat_maps
from twincam.explanations.localisation import localisation
from twincam.explanations.maps import shows_place
from twincam.files.messages import warn
from twincam.statistics.estimates import share


def find_maps(run: Run, params: Params, cams: np.ndarray) -> Explanation:
    """Compute the maps of each method of ``explain.methods``, and compare them with the masks.

    Args:
        run: what is explained.
        params: of the stage.
        cams: Grad-CAM of what the head reads, of the evaluated images, ``[Q,h,w]``.

    Returns:
        The maps by method, and the metrics: the first ``method``, ``heatmaps`` and ``marks``.
    """
    methods, seed = params.explain.methods, params.seed
    last = len(run.network.blocks) - 1
    layer = last if params.explain.layer is None else params.explain.layer
    whole = params.explain.layer is None or run.network.levels == (layer,)
    images, logits = run.images[run.evaluated], run.embedded.logits[run.evaluated]
    maps = {
        method: np.array(cams)
        if method == "gradcam" and whole
        else heat_maps(run.network, images, logits, method, layer)
        for method in methods
    }
    if flat := [method for method in methods if not shows_place(maps[method])]:
        fix = "raise prepare.image_size, or choose an earlier explain.layer or other methods"
        warn("explain", f"maps of {', '.join(flat)} have one cell and cannot localise; {fix}")
    families = run.table["family"].to_numpy()[run.evaluated]
    figures = {name: localisation(heat, run.masks, families, seed) for name, heat in maps.items()}
    marks = mark_figures(run, maps, seed)
    return Explanation({"method": methods[0], "heatmaps": figures, "marks": marks}, maps, {})


def mark_figures(run: Run, maps: dict[str, np.ndarray], seed: int) -> dict[str, Any]:
    """Return the effect of a planted mark: recall with and without it, and the heat on it.

    Args:
        run: its ``marks`` show which images carry one, and where.
        maps: ``[Q,h,w]`` by method.
        seed: of the bootstraps.

    Returns:
        Empty without marks; else ``n``, ``heatmaps`` by method as `localisation` of the marked
        images, and ``recall`` by label, ``marked`` and ``unmarked``, each with its n.
    """
    carries = run.marks.any(axis=(1, 2))
    if not carries.any():
        return {}
    labels, right = run.table["label"].to_numpy()[run.evaluated], correct(run)
    recall = {
        str(label): {
            name: {"n": int(which.sum()), "recall": share(right[which])}
            for name, which in (
                ("marked", (labels == label) & carries),
                ("unmarked", (labels == label) & ~carries),
            )
        }
        for label in np.unique(labels)
    }
    marks, nothing = run.marks[carries], np.full(int(carries.sum()), "")
    return {
        "n": int(carries.sum()),
        "recall": recall,
        "heatmaps": {
            method: localisation(heat[carries], marks, nothing, seed)
            for method, heat in maps.items()
        },
    }
