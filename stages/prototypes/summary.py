"""All figures of a prototype network's last layer, and how it compares with other models."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from stages.prototypes.baselines import logistic_logits
from stages.prototypes.comparison import comparison_figures, split_figures
from stages.prototypes.evidence import evidence_figures
from stages.prototypes.guards import (
    broken_sentences,
    duplicates_guard,
    live_by_class,
    live_guard,
    projection_guard,
    recall_guard,
)
from stages.prototypes.last_layer import Fit, Fits
from stages.prototypes.params import Params
from stages.prototypes.quality import quality_figures
from stages.prototypes.removal import removal_figures
from stages.prototypes.run import Run
from twincam.explanations.prototypes.network import PrototypeNet


def all_figures(
    run: Run, fits: Fits, net: PrototypeNet, classifier: np.ndarray, params: Params
) -> dict[str, Any]:
    """Return guards, models, evidence and quality, and what was removed, if anything was.

    Args:
        run: the images and their similarities.
        fits: the last layers.
        net: the network; its own last layer is not used.
        classifier: the classifier's logits of the evaluated images, ``[V,K]``.
        params: seed, removals, and which class is ``real_class``.
    """
    seed, remove = params.seed, params.prototypes.remove
    figures = guard_figures(run, fits.kept, [removal.id for removal in remove], seed)
    figures |= model_figures(run, fits, classifier, seed)
    for name, found in figures["evidence"].items():
        found["real_class"] = name == params.real_class
    if remove:
        figures["removed"] = removal_figures(run, fits, remove, seed)
    return figures | {"quality": quality_figures(run, fits.kept, net, seed)}


def guard_figures(run: Run, fit: Fit, removed: Sequence[int], seed: int) -> dict[str, Any]:
    """Return ``guards`` and ``guards_broken``, the sentences of those that broke.

    Args:
        run: the images and their similarities.
        fit: the last layer, without those removed.
        removed: positions of the prototypes that a person removed.
        seed: of the bootstrap.
    """
    truth, measured = run.evaluated_labels, run.measured
    val = (run.evaluated_split["split"] == "val").to_numpy()
    guards = {
        "recall": recall_guard(truth[val], fit.logits[val], run.classes),
        "duplicates": duplicates_guard(measured.patches),
        "live": live_guard(fit.layer, removed, run.classes),
        "projection": projection_guard(truth, measured.logits_before, measured.logits_after, seed),
    }
    return {"guards": guards, "guards_broken": broken_sentences(guards)}


def model_figures(run: Run, fits: Fits, classifier: np.ndarray, seed: int) -> dict[str, Any]:
    """Return the network's figures by split, its comparison with others and its evidence.

    Args:
        run: the images and their similarities.
        fits: the last layers.
        classifier: the classifier's logits of the evaluated images, ``[V,K]``.
        seed: of the bootstraps.
    """
    truth, measured = run.evaluated_labels, run.measured
    fit = fits.kept
    models = {
        "before_projection": measured.logits_before,
        "after_projection": measured.logits_after,
        "refitted": fits.all.logits,
        **({"removed": fit.logits} if fit is not fits.all else {}),
        "kmeans": fits.kmeans.logits,
        "logistic": logistic_logits(
            measured.train_similarity, run.train_labels, measured.evaluated_similarity
        ),
    }
    figures: dict[str, Any] = {
        "prototypes": {
            "total": len(fit.layer.owner),
            "distinct_images": len(np.unique(measured.patches[:, 0])),
            "live": live_by_class(fit.layer, run.classes),
        },
        "comparison": comparison_figures(truth, classifier, models, seed),
        "evidence": evidence_figures(
            measured.evaluated_similarity, truth, fit.layer, run.classes, seed
        ),
    }
    where = run.evaluated_split["split"].to_numpy()
    for name in np.unique(where):
        own = where == name
        figures[str(name)] = split_figures(truth[own], fit.logits[own], classifier[own], seed)
    return figures


def headlines(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Return the figures that branches are compared by: of the test images if any, else of val.

    Args:
        figures: of `model_figures`.
    """
    found = figures.get("test") or figures["val"]
    return {
        "accuracy": found["accuracy"],
        "classifier_gap": found["classifier_gap"],
        "live_prototypes": sum(figures["prototypes"]["live"].values()),
    }
