"""All figures of a fitted prototype network, and how it stands beside others."""

from typing import Any

import numpy as np

from stages.protopnet.baselines import logistic_logits
from stages.protopnet.comparison import comparison_figures, split_figures
from stages.protopnet.decisions import evidence_figures, last_layer
from stages.protopnet.guards import (
    broken_sentences,
    duplicates_guard,
    live_guard,
    projection_guard,
    recall_guard,
)
from stages.protopnet.params import Params
from stages.protopnet.prototypes import prototype_figures
from stages.protopnet.scene import Scene
from stages.protopnet.training import Fitted


def guard_figures(scene: Scene, full: Fitted, fitted: Fitted, params: Params) -> dict[str, Any]:
    """Return ``guards`` and ``guards_broken``, the sentences of those that broke.

    Args:
        scene: the images.
        full: the network as it was fitted.
        fitted: the network after the removals asked for.
        params: name the removals.
    """
    layer, truth = last_layer(fitted.net), scene.truth
    held = (scene.split["split"] == "val").to_numpy()[scene.watched]
    removed = [removal.id for removal in params.protopnet.remove]
    guards = {
        "recall": recall_guard(truth[held], fitted.refitted[held], scene.classes),
        "duplicates": duplicates_guard(fitted.source),
        "live": live_guard(layer.owner, layer.points, removed, scene.classes),
        "projection": projection_guard(truth, full.before, full.after, params.seed),
    }
    return {"guards": guards, "guards_broken": broken_sentences(guards)}


def model_figures(
    scene: Scene,
    full: Fitted,
    fitted: Fitted,
    classifier: np.ndarray,
    k_means: np.ndarray,
    params: Params,
) -> dict[str, Any]:
    """Return the network's figures by split, its comparison and its evidence.

    Args:
        scene: the images.
        full: the network as it was fitted.
        fitted: the network after the removals asked for.
        classifier: its logits of the evaluated images, ``[V,K]``.
        k_means: those of prototypes without learning, ``[V,K]``.
        params: seed, removals, and which class is ``real_class``.
    """
    truth, seed = scene.truth, params.seed
    where = scene.split["split"].to_numpy()[scene.watched]
    models = {
        "before_projection": full.before,
        "after_projection": full.after,
        "refitted": full.refitted,
        **({"removed": fitted.refitted} if params.protopnet.remove else {}),
        "kmeans": k_means,
        "logistic": logistic_logits(
            full.known.similarity, scene.labels[scene.train], full.seen.similarity
        ),
    }
    evidence = evidence_figures(
        fitted.seen.similarity, truth, last_layer(fitted.net), scene.classes, seed
    )
    figures: dict[str, Any] = {
        "prototypes": prototype_figures(fitted, scene.classes),
        "comparison": comparison_figures(truth, classifier, models, seed),
        "evidence": {
            name: {**found, "real_class": name == params.real_class}
            for name, found in evidence.items()
        },
    }
    for name in np.unique(where):
        own = where == name
        figures[str(name)] = split_figures(truth[own], fitted.refitted[own], classifier[own], seed)
    return figures
