"""How interpretable are the prototypes? Each figure of the network with its controls."""

from typing import Any

import numpy as np

from stages.prototypes.deletion import Drops, deletion_figures, logit_drops
from stages.prototypes.interpretability import (
    distinctiveness,
    kept_figures,
    sparsity,
    top_prototypes,
)
from stages.prototypes.last_layer import Fit
from stages.prototypes.masks import Sources, family_prototypes, heat_figures
from stages.prototypes.parts import Prototypes, part_figures
from stages.prototypes.run import Run
from twincam.explanations.prototypes.best_cells import Matches
from twincam.explanations.prototypes.contributions import LastLayer, layer_logits
from twincam.explanations.prototypes.deletion import similarities_without
from twincam.explanations.prototypes.network import PrototypeNet
from twincam.explanations.prototypes.places import Field, cell_centres
from twincam.statistics.estimates import median


def quality_figures(run: Run, fit: Fit, net: PrototypeNet, seed: int) -> dict[str, Any]:
    """Return the figures of `interpretability`, `parts`, `masks` and `deletion`, group by group.

    Of live prototypes, on the sample of the evaluated images; ``families`` on the training images,
    ``locality`` of all prototypes. A group that cannot be measured has the reason under
    ``skipped``.

    Args:
        run: the images and their similarities.
        fit: the last layer.
        net: the network; its own last layer is not used.
        seed: of random choices and bootstraps.
    """
    measured, layer = run.measured, fit.layer
    sample, field = measured.sample, net.field
    rows, matches = run.evaluated[sample], measured.evaluated.of(sample)
    predicted, labels = fit.logits[sample].argmax(axis=1), run.labels[rows]
    live = layer.live
    owner, cells = layer.owner[live], matches.cells[:, live]
    top = top_prototypes(matches.similarity, layer, predicted)
    heat = measured.sample_maps[np.arange(len(rows)), top]
    parts, masks = (run.maps(name, rows) for name in ("parts", "masks"))
    prototypes = Prototypes(
        owner, Matches(matches.similarity[:, live], cells), measured.noise_cells[:, live]
    )
    jpeg_logits = layer_logits(layer, measured.jpeg_similarity)
    jpeg_top = top_prototypes(measured.jpeg_similarity, layer, jpeg_logits.argmax(axis=1))
    vectors = net.vectors.detach().cpu().numpy()[live]
    groups = {
        "parts": part_figures(prototypes, parts, labels, field, seed),
        "on_cat": heat_figures(heat, parts > 0, field, seed),
        "on_masks": heat_figures(heat, masks, field, seed),
        "distinctiveness": distinctiveness(vectors, cells, labels, owner, seed),
        "sparsity": sparsity(matches.similarity, layer, predicted, seed),
        "deletion": deletion_figures(logit_losses(run, layer, net, top), seed),
        "jpeg": kept_figures("jpeg", top, jpeg_top, matches.cells, measured.jpeg_cells, seed),
        "families": family_figures(run, layer, field),
        "locality": {
            "receptive_field": field.side,
            "effective_field": median(measured.sources["effective_field"].to_numpy()),
        },
    }
    for name, (figure, reason) in _NEEDS.items():
        if figure not in groups[name]:
            groups[name]["skipped"] = reason
    return {"n": len(rows), "prototypes": len(live), **groups}


def logit_losses(run: Run, layer: LastLayer, net: PrototypeNet, top: np.ndarray) -> Drops:
    """Return what blurring a square costs in the sample; the only forward passes of the stage.

    Args:
        run: the images and their similarities.
        layer: the weights.
        net: the network.
        top: the top prototype of each image of the sample, ``[n]``.
    """
    measured = run.measured
    rows = run.evaluated[measured.sample]
    clean = layer_logits(layer, measured.sample_maps.max(axis=(2, 3)))
    cells = measured.evaluated_cells[measured.sample, top]
    without = similarities_without(net, run.images, rows, cell_centres(cells, net.field))
    with_cat = np.flatnonzero([cat.any() for cat in run.maps("parts", rows)])

    def drops(similarity: np.ndarray, some: np.ndarray) -> np.ndarray:
        return logit_drops(clean[some], layer_logits(layer, similarity))

    everyone = np.arange(len(rows))
    return Drops(
        drops(without, everyone),
        np.stack([drops(draw, everyone) for draw in measured.blurred_anywhere]),
        with_cat,
        np.stack([drops(draw, with_cat) for draw in measured.blurred_on_cat]),
    )


def family_figures(run: Run, layer: LastLayer, field: Field) -> dict[str, Any]:
    """Return `family_prototypes` of the live ones; arguments as of `quality_figures`.

    Of families whose training images have masks; others, such as generators, show no known defect.
    """
    families = run.split["family"].to_numpy(copy=True)
    for row in run.train[families[run.train] != ""]:
        if not run.maps("masks", np.array([row])).any():
            families[row] = ""
    live = layer.live
    patches = run.measured.patches[live]
    sources = Sources(
        patches, run.maps("masks", patches[:, 0]), run.maps("parts", patches[:, 0]) > 0
    )
    similar = run.measured.train_similarity[:, live]
    return family_prototypes(similar, families[run.train], run.train, sources, field)


_NEEDS = {
    "parts": ("purity", "the evaluated images have no known parts, or no prototype is live"),
    "on_cat": ("on_mask", "fewer than two evaluated images have known parts"),
    "on_masks": ("on_mask", "fewer than two evaluated images have a mask"),
    "distinctiveness": ("cosine", "no class has two live prototypes"),
    "sparsity": ("carriers_share", "no prototype contributes"),
    "deletion": ("deletion", "fewer than two evaluated images"),
    "jpeg": ("jpeg_same", "fewer than two evaluated images"),
    "families": ("found", "no training image with a mask is of a known family"),
}
"""By group, a figure it has if it was measured, and the possible reason why not."""
