"""One explanation as a record, and pages that show records: gallery, `twincam explain`, the app.

A record is plain JSON (`Explanation`, documented in docs/record.md). It names images by key;
their pictures are given beside the records, so that each is stored once. The page's script,
``web/explanation.js``, shows a record; what a run does not have is None or empty and left out.
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
from PIL import Image

from twincam.explanations.maps import shows_place
from twincam.files.predictions import split_names

SCHEMA = "twincam-explanation-2"
PAGE = Path(__file__).with_name("explanation.html")
GALLERY_PAGE = Path(__file__).with_name("gallery_page.html")

Row = Mapping[Any, Any]
"""Of a table, by column."""

QUALITY = 75
"""Of the pictures as WebP: a page holds thousands."""

DECIMALS = 4
"""Of numbers in a record; numbers far below 1 keep as many digits."""


class Novelty(TypedDict):
    """How far an image is from the training images.

    ``distance`` to the nearest; ``quantile``, the share of training images that lie closer to
    their own nearest.
    """

    distance: float
    quantile: float


class Verdict(TypedDict):
    """The verdict, by the mean over deliveries: a sentence, and what it rests on.

    ``as_is`` is the class predicted for the image as it is, which everything else explains;
    ``remark`` says so where it is not ``predicted``. ``confidence`` is calibrated, of the predicted
    class; ``probabilities`` are not calibrated; ``set`` is the prediction set; ``flips`` are the
    deliveries predicted otherwise than the image as it is; ``traces`` is ``none`` or ``found``.
    None: not measured.
    """

    statement: str
    remark: str
    predicted: str
    as_is: str
    unsure: bool
    confidence: float | None
    probabilities: dict[str, float]
    set: list[str] | None
    flips: list[str]
    traces: str | None
    novelty: Novelty | None


class Delivery(TypedDict):
    """What is predicted of the image after re-saving, scaling or cropping it.

    ``margin`` is that of the class predicted without, over the best other: negative if it changes.
    """

    name: str
    predicted: str
    margin: float


class Forensics(TypedDict):
    """The ``score`` of generator-like traces, ``found`` above ``threshold`` (None: infinite)."""

    score: float
    threshold: float | None
    found: bool


class Heat(TypedDict):
    """A signed heat map ``[h,w]``, positive for the class predicted for the image as it is.

    ``sum_explains`` names what it adds up to, or is None; evidence of ``scale`` is drawn in full
    colour (None: the map's own maximum).
    """

    method: str
    map: list[list[float]]
    sum_explains: str | None
    scale: float | None


class Neighbour(TypedDict):
    """A training image, its path relative to ``data.root``, and its similarity."""

    image: str
    path: str
    label: str
    predicted: str
    similarity: float


class Twin(Neighbour):
    """A training image of the predicted class, and the map ``[h,w]`` of what both share."""

    map: list[list[float]] | None


class Counterfactual(TypedDict):
    """The nearest training image predicted otherwise, and the cells that change the prediction.

    ``cells`` are rows and columns of a grid of ``rows`` by ``columns``; ``flips_in_image`` tells
    whether pasting their squares into the image changes it, too (None: not measured).
    """

    image: str
    path: str
    label: str
    predicted: str
    to: str
    cells: list[list[int]]
    rows: int
    columns: int
    flips_in_image: bool | None


class PrototypeRow(TypedDict):
    """A prototype's match: ``points`` is ``similarity`` times ``weight``.

    ``place`` is the pixel ``(y, x)`` of the match, ``source_place`` that of the prototype in its
    training image ``source``, at ``source_path``; ``patch`` is the side of both squares in pixels.
    """

    prototype: int
    points: float
    similarity: float
    weight: float
    place: list[int]
    source: str
    source_path: str
    source_place: list[int]
    patch: int


# ``class`` is a keyword, so these fields need the other way of writing a TypedDict.
PrototypeOfClass = TypedDict("PrototypeOfClass", {"class": str})


class PrototypePoints(PrototypeRow, PrototypeOfClass):
    """A `PrototypeRow` and its ``class``."""


class Prototypes(TypedDict):
    """The prototype network's decision: a class's points and its bias add up to its logit.

    ``size`` is the side of the image in pixels, which places are given in.
    """

    predicted: str
    biases: dict[str, float]
    logits: dict[str, float]
    size: int
    rows: list[PrototypePoints]


class Influence(TypedDict):
    """A training image and its estimated influence on the prediction, positive for it."""

    image: str
    path: str
    label: str
    influence: float


class Explanation(TypedDict):
    """Everything that is shown of one image.

    ``label``, ``split`` and ``source`` are None or empty where not known; ``image`` is the key of
    its picture; ``margin`` is the largest logit of the image as it is minus the second largest;
    ``deliveries`` and ``forensics`` are empty and None if not measured; ``disagree`` is the share
    of ``neighbours`` whose label is not the class of the former.
    """

    schema: str
    name: str
    image: str
    label: str | None
    split: str | None
    source: str
    verdict: Verdict
    scope: str
    margin: float
    deliveries: list[Delivery]
    forensics: Forensics | None
    heat: list[Heat]
    twins: list[Twin]
    neighbours: list[Neighbour]
    disagree: float | None
    counterfactual: Counterfactual | None
    prototypes: Prototypes | None
    influence: list[Influence]


def figure(value: float) -> float:
    """Return a number as a record holds it, to `DECIMALS` decimals or as many digits."""
    return _rounded([float(value)])[0]


def map_rows(heat: np.ndarray) -> list[list[float]]:
    """Return a map ``[h,w]`` as rows of numbers, as precise as its largest value is."""
    values = _rounded([float(value) for value in heat.ravel()])
    width = heat.shape[1]
    return [values[start : start + width] for start in range(0, len(values), width)]


def _rounded(values: Sequence[float]) -> list[float]:
    largest = max(map(abs, values), default=0.0)
    smaller = -math.floor(math.log10(largest)) - 1 if largest > 0 else 0
    return [round(value, DECIMALS + max(0, smaller)) for value in values]


def verdict_of(row: Row, classes: Sequence[str], novelty: Novelty | None = None) -> Verdict:
    """Return the verdict of a row of ``reports/predictions.csv``.

    Args:
        row: ``predicted, as_is, p_<class>…, calibrated, set, flips, traces, unsure, statement,
            remark``.
        classes: the labels.
        novelty: where measured.
    """
    calibrated = row["calibrated"]
    fitted = calibrated != "" and not math.isnan(float(calibrated))
    return {
        "statement": row["statement"],
        "remark": row["remark"],
        "predicted": row["predicted"],
        "as_is": row["as_is"],
        "unsure": bool(row["unsure"]),
        "confidence": figure(calibrated) if fitted else None,
        "probabilities": {name: figure(row[f"p_{name}"]) for name in classes},
        "set": split_names(row["set"]) or None,
        "flips": split_names(row["flips"]),
        "traces": row["traces"] or None,
        "novelty": novelty,
    }


def novelty_of(distance: float, quantile: float) -> Novelty:
    """Return how far an image is from the training images."""
    return {"distance": figure(distance), "quantile": figure(quantile)}


def forensics_of(score: float, threshold: float, found: bool) -> Forensics:
    """Return the traces in an image."""
    limit = figure(threshold) if math.isfinite(threshold) else None
    return {"score": figure(score), "threshold": limit, "found": found}


def deliveries_of(
    names: Sequence[str], logits: np.ndarray, classes: Sequence[str], predicted: str
) -> list[Delivery]:
    """Return what is predicted of D deliveries of an image.

    Args:
        names: of the deliveries.
        logits: ``[D,K]``.
        classes: the K labels.
        predicted: the class predicted for the image as it is.
    """
    own = classes.index(predicted)
    margin = logits[:, own] - np.delete(logits, own, axis=1).max(axis=1)
    return [
        {"name": name, "predicted": classes[best], "margin": figure(one)}
        for name, best, one in zip(names, logits.argmax(axis=1), margin, strict=True)
    ]


def heat_of(
    method: str, heat: np.ndarray, scale: float | None = None, sum_explains: str | None = None
) -> list[Heat]:
    """Return the heat map of a method, as a list; none if its single cell has no place."""
    if not shows_place(heat):
        return []
    shown = None if scale is None else figure(scale)
    one: Heat = {
        "method": method,
        "map": map_rows(heat),
        "sum_explains": sum_explains,
        "scale": shown,
    }
    return [one]


def neighbour_of(row: Row) -> Neighbour:
    """Return a training image of a row ``neighbour, path, label, predicted, similarity``."""
    return {
        "image": row["neighbour"],
        "path": row["path"],
        "label": row["label"],
        "predicted": row["predicted"],
        "similarity": figure(row["similarity"]),
    }


def twin_of(row: Row, shared: np.ndarray | None) -> Twin:
    """Return a twin of a row as in `neighbour_of`, with the map ``[h,w]`` that both share.

    A map that is zero everywhere stands for none.
    """
    shown = shared is not None and shared.any() and shows_place(shared)
    return {**neighbour_of(row), "map": map_rows(shared) if shown and shared is not None else None}


def influence_of(row: Row) -> Influence:
    """Return the influence of a row ``neighbour, path, label, similarity``."""
    return {
        "image": row["neighbour"],
        "path": row["path"],
        "label": row["label"],
        "influence": figure(row["similarity"]),
    }


def disagreement(neighbours: Sequence[Neighbour], predicted: str) -> float | None:
    """Return the share of ``neighbours`` not labelled ``predicted``; None of no neighbours."""
    if not neighbours:
        return None
    return figure(sum(one["label"] != predicted for one in neighbours) / len(neighbours))


def counterfactual_of(
    row: Row, cells: np.ndarray, flips_in_image: bool | None = None
) -> Counterfactual:
    """Return the counterfactual of a row as in `neighbour_of` and its ``cells``, bool ``[h,w]``.

    The row's ``reached`` is the class predicted once they are swapped.
    """
    return {
        "image": row["neighbour"],
        "path": row["path"],
        "label": row["label"],
        "predicted": row["predicted"],
        "to": row["reached"],
        "cells": np.argwhere(cells).tolist(),
        "rows": cells.shape[0],
        "columns": cells.shape[1],
        "flips_in_image": flips_in_image,
    }


def prototypes_of(
    rows: Sequence[Mapping[Any, Any]],
    biases: Mapping[str, float],
    similarity: np.ndarray,
    centres: np.ndarray,
    size: int,
) -> Prototypes:
    """Return how the prototype network decides on an image.

    Args:
        rows: P rows of ``reports/prototypes.csv``, those with a weight above 0.
        biases: by class.
        similarity: the image's best similarities to these prototypes, ``[P]``.
        centres: pixels at the centres of the best matches, ``[P,2]``.
        size: side of the image in pixels.
    """
    points = similarity.astype(float) * np.array([one["weight"] for one in rows])
    owner = np.array([one["class"] for one in rows])
    logits = {name: float(bias + points[owner == name].sum()) for name, bias in biases.items()}
    shown: list[PrototypePoints] = [
        {
            "prototype": int(one["prototype"]),
            "class": one["class"],
            "similarity": figure(similarity[p]),
            "weight": figure(one["weight"]),
            "points": figure(points[p]),
            "place": centres[p].tolist(),
            "source": one["id"],
            "source_path": one["path"],
            "source_place": [one["centre_y"], one["centre_x"]],
            "patch": one["receptive_field"],
        }
        for p, one in enumerate(rows)
    ]
    return {
        "predicted": max(logits, key=lambda name: logits[name]),
        "biases": {name: figure(bias) for name, bias in biases.items()},
        "logits": {name: figure(value) for name, value in logits.items()},
        "size": size,
        "rows": shown,
    }


def picture_of(image: np.ndarray | Image.Image, side: int) -> str:
    """Return a picture as a ``data:`` URI of WebP, at most ``side`` pixels wide and high."""
    from twincam.pages.rendering import picture_uri

    shown = Image.fromarray(image) if isinstance(image, np.ndarray) else image.convert("RGB")
    shown.thumbnail((side, side), Image.Resampling.LANCZOS)
    return picture_uri(shown, QUALITY)


def pictures_named(records: Iterable[Explanation]) -> set[str]:
    """Return the keys of all pictures that ``records`` show."""
    keys = set[str]()
    for one in records:
        keys |= {one["image"]}
        keys |= {twin["image"] for twin in one["twins"]}
        keys |= {near["image"] for near in one["neighbours"]}
        keys |= {case["image"] for case in one["influence"]}
        if one["counterfactual"]:
            keys |= {one["counterfactual"]["image"]}
        if one["prototypes"]:
            keys |= {row["source"] for row in one["prototypes"]["rows"]}
    return keys


def safe_json(value: object) -> str:
    """Return ``value`` as JSON that is safe inside a ``<script>`` element."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def explanation_page(
    records: Sequence[Explanation], images: Mapping[str, str], title: str = "TwinCAM"
) -> str:
    """Return one self-contained HTML page that shows ``records``, one below the other.

    Args:
        records: at least one.
        images: ``data:`` URIs by key (`picture_of`); a key that is missing shows no picture.
        title: of the page, as text.
    """
    from twincam.pages.rendering import render

    return render(PAGE, {"title": title, "records": safe_json(records), "images": images})


def gallery_json(
    records: Sequence[Explanation],
    choice: str,
    scope: str = "",
    reviews: Sequence[Mapping[str, str]] = (),
) -> str:
    """Return the data of a gallery, safe inside a ``<script>`` element.

    Args:
        records: what it shows.
        choice: a sentence that says which images these are.
        scope: of all records, unless they have their own.
        reviews: ``path, mark, note, label`` of the marks that the run has honoured.
    """
    return safe_json(
        {"records": records, "choice": choice, "scope": scope, "reviews": list(reviews)}
    )


def gallery_page(
    records: Sequence[Explanation], images: Mapping[str, str], choice: str, title: str = "TwinCAM"
) -> str:
    """Return one self-contained HTML page to filter, sort and search ``records``.

    Args:
        records: at least one, each with a different ``image``.
        images: as in `explanation_page`.
        choice: a sentence that says which images these are.
        title: of the page, as text.
    """
    from twincam.pages.rendering import render

    gallery = gallery_json(records, choice)
    return render(GALLERY_PAGE, {"title": title, "gallery": gallery, "images": images})
