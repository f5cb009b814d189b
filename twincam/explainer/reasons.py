"""From the deliveries of a picture to its verdict and the reasons, as a record.

Every rule is the function that the pipeline's stages use.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from twincam.confidence.abstention import is_weak
from twincam.confidence.calibration import confidences
from twincam.confidence.prediction_sets import prediction_sets
from twincam.confidence.scores import mean_logits
from twincam.confidence.verdicts import FOUND, NONE, unsure_verdicts
from twincam.confidence.words import remark_of, sure_statement, unsure_statement
from twincam.deliveries import WAYS
from twincam.explainer.inference import Networks, embed_deliveries, inputs_of, match_prototypes
from twincam.explainer.pack import Pack
from twincam.explanations.counterfactuals import minimal_swap
from twincam.explanations.gradcam import margin_maps
from twincam.explanations.influence import (
    gradients,
    head_of,
    representer,
    second_order,
)
from twincam.explanations.prototypes.best_cells import Matches
from twincam.explanations.prototypes.places import cell_centres
from twincam.explanations.twins import novelty
from twincam.explanations.twins.neighbours import Compare, nearest
from twincam.explanations.twins.spaces import shared_map, similarity
from twincam.forensics.detector import mean_score
from twincam.models.embedded import Embedded, at
from twincam.models.levels import class_scores
from twincam.pages.explanation import (
    SCHEMA,
    Counterfactual,
    Explanation,
    Forensics,
    Influence,
    Neighbour,
    Novelty,
    Prototypes,
    Twin,
    Verdict,
    counterfactual_of,
    deliveries_of,
    disagreement,
    figure,
    forensics_of,
    heat_of,
    influence_of,
    neighbour_of,
    novelty_of,
    prototypes_of,
    twin_of,
)
from twincam.statistics.margins import margins
from twincam.statistics.probabilities import softmax


class Seen(NamedTuple):
    """A picture: its name, its deliveries and its traces.

    ``squares`` are bytes ``[D,S,S,3]``, the first of the picture as it is; ``forensics`` is None
    where the run does not measure it.
    """

    name: str
    squares: np.ndarray
    forensics: Forensics | None


def explain_seen(pack: Pack, networks: Networks, seen: Seen) -> Explanation:
    """Return the record of a picture, whose image has its name as a key."""
    inputs = inputs_of(seen.squares, pack.settings)
    delivered = embed_deliveries(networks, inputs, pack)
    query = at(delivered, slice(0, 1))
    verdict = verdict_of(pack, delivered, seen.forensics)
    heat = margin_maps(query.maps, pack.head.weight, query.logits)[0]
    similar = similarities(pack, query, pack.settings.space)
    neighbours = neighbours_of(pack, similar)
    return {
        "schema": SCHEMA,
        "name": seen.name,
        "image": seen.name,
        "label": None,
        "split": None,
        "source": "",
        "verdict": verdict,
        "scope": pack.settings.scope,
        "margin": figure(margins(query.logits)[0]),
        "deliveries": deliveries_of(
            tuple(WAYS), delivered.logits[1:], pack.settings.classes, verdict["as_is"]
        ),
        "forensics": seen.forensics,
        "heat": heat_of("gradcam", heat, pack.settings.heat_scale, "margin"),
        "twins": twins_of(pack, query, similar),
        "neighbours": neighbours,
        "disagree": disagreement(neighbours, verdict["as_is"]),
        "counterfactual": counterfactual_in(pack, query, similar),
        "prototypes": prototypes_in(pack, match_prototypes(networks, inputs[:1])),
        "influence": influences_in(pack, query),
    }


def forensics_in(pack: Pack, image: Image.Image) -> Forensics | None:
    """Return the traces in a picture; None if the run does not look for them."""
    if pack.detector is None:
        return None
    from twincam.forensics.scoring import scoring_views

    models, threshold = pack.detector
    score = float(mean_score(models, scoring_views(image)[None])[0])
    return forensics_of(score, threshold, score > threshold)


def verdict_of(pack: Pack, delivered: Embedded, forensics: Forensics | None) -> Verdict:
    """Return the verdict on a picture.

    Args:
        pack: of the run.
        delivered: its deliveries, with logits ``[D,K]``.
        forensics: its traces, which count against the class of genuine images.
    """
    classes, model = pack.settings.classes, pack.settings.confidence
    score, best = mean_logits(delivered.logits)[None], delivered.logits.argmax(axis=1)
    predicted, as_is = classes[score[0].argmax()], classes[best[0]]
    calibrated = None if model.temperature is None else confidences(score / model.temperature)[0]
    sets = None if model.limits is None else prediction_sets(score, model.limits, classes)
    weak = is_weak(score, model.least_margin)
    genuine = predicted == pack.settings.real_class
    traced = forensics is not None and forensics["found"] and genuine
    doubted = np.array([traced])
    unsure = bool(unsure_verdicts(sets, weak, doubted)[0])
    held = [] if sets is None else [str(one) for one in np.array(classes)[sets[0]]]
    return {
        "statement": unsure_statement(predicted, held, weak=bool(weak[0]), traced=traced)
        if unsure
        else sure_statement(predicted, pack.settings.real_class),
        "remark": remark_of(predicted, as_is),
        "predicted": predicted,
        "as_is": as_is,
        "unsure": unsure,
        "confidence": None if calibrated is None else figure(calibrated),
        "probabilities": dict(zip(classes, map(figure, softmax(score)[0]), strict=True)),
        "set": held or None,
        "flips": [name for name, one in zip(WAYS, best[1:], strict=True) if one != best[0]],
        "traces": None if forensics is None else (FOUND if traced else NONE),
        "novelty": novelty_in(pack, at(delivered, slice(0, 1))),
    }


def novelty_in(pack: Pack, query: Embedded) -> Novelty:
    """Return how far a picture is from the training images."""
    distances = 1 - similarities(pack, query, novelty.SPACE).max(axis=1)
    return novelty_of(distances[0], novelty.quantiles(distances, pack.training.distances)[0])


def similarities(pack: Pack, query: Embedded, space: str) -> np.ndarray:
    """Return the similarity ``[1,T]`` of a picture and each training image in ``space``."""
    return similarity(space, query, pack.training.embedded, pack.head.weight)


def rows_of(pack: Pack, places: np.ndarray, values: np.ndarray) -> Iterator[dict[str, Any]]:
    """Yield a row ``neighbour, path, label, predicted, similarity`` of each training image found.

    Args:
        pack: of the run.
        places: positions among the training images, ``[1,k]``; -1 for none.
        values: their similarities, ``[1,k]``.
    """
    classes, training = pack.settings.classes, pack.training
    for place, value in zip(places[0].tolist(), values[0].tolist(), strict=True):
        if place >= 0:
            yield {
                "neighbour": training.ids[place],
                "path": training.paths[place],
                "label": classes[training.labels[place]],
                "predicted": classes[training.embedded.logits[place].argmax()],
                "similarity": value,
            }


def twins_of(pack: Pack, query: Embedded, similar: np.ndarray) -> list[Twin]:
    """Return the nearest training images of the predicted class, each with the heat both share.

    Args:
        pack: of the run.
        query: the picture.
        similar: its `similarities`.
    """
    space, count = pack.settings.space, pack.settings.shown
    own = pack.training.labels == query.logits[0].argmax()
    places, values = nearest(similar, count, own[None])
    found = places[places >= 0]
    queries = at(query, np.zeros(len(found), int))
    others = at(pack.training.embedded, found)
    shared = shared_map(space, queries, others, pack.head.weight)
    rows = rows_of(pack, places, values)
    return [twin_of(row, heat) for row, heat in zip(rows, shared, strict=True)]


def neighbours_of(pack: Pack, similar: np.ndarray) -> list[Neighbour]:
    """Return the nearest training images of any class, by the `similarities` of a picture."""
    places, values = nearest(similar, pack.settings.shown)
    return [neighbour_of(row) for row in rows_of(pack, places, values)]


def counterfactual_in(pack: Pack, query: Embedded, similar: np.ndarray) -> Counterfactual | None:
    """Return the nearest training image predicted otherwise, with the fewest cells to swap.

    Arguments as in `twins_of`.
    """
    training = pack.training
    other = training.embedded.logits.argmax(axis=1) != query.logits[0].argmax()
    places, values = nearest(similar, 1, other[None])
    for row in rows_of(pack, places, values):
        scores = class_scores(query.maps, pack.head.weight)
        swap = minimal_swap(scores, training.scores[places[0]], pack.head.bias)
        reached = pack.settings.classes[swap.reached[0]]
        return counterfactual_of({**row, "reached": reached}, swap.cells[0])
    return None


def prototypes_in(pack: Pack, matches: Matches) -> Prototypes:
    """Return how the prototype network decides on a picture."""
    part, classes = pack.prototypes, pack.settings.classes
    live = part.layer.live
    rows = [
        {
            **part.sources[p],
            "prototype": int(p),
            "class": classes[part.layer.owner[p]],
            "weight": float(part.layer.weight[p]),
        }
        for p in live
    ]
    biases = dict(zip(classes, part.layer.bias.tolist(), strict=True))
    size = pack.settings.preprocessing.image_size
    centres = cell_centres(matches.cells[0, live], part.field)
    return prototypes_of(rows, biases, matches.similarity[0, live], centres, size)


def influences_in(pack: Pack, query: Embedded) -> list[Influence]:
    """Return the training images of largest influence on the prediction."""
    if pack.influences is None:
        return []
    values = influence_of_training(pack, query)(slice(0, 1), slice(0, len(pack.training.ids)))
    return [influence_of(row) for row in rows_of(pack, *nearest(values, pack.settings.shown))]


def influence_of_training(pack: Pack, query: Embedded) -> Compare:
    """Return the run's chosen estimate of influence for one picture."""
    assert pack.influences is not None
    refit, inverse = pack.influences
    name, training = pack.settings.influence, pack.training
    if name.startswith("gradient_"):
        known = training.embedded.features, training.labels
        return gradients(known, query.features, pack.head.weight, pack.head.bias)[name]
    head = head_of(refit, query.features, query.logits)
    return representer(head) if name == "representer" else second_order(head, inverse)
