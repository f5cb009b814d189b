"""Made-up records with names that try to break out of the page."""

from typing import Any

import numpy as np

from twincam.pages.explanation import SCHEMA, Explanation, Neighbour, heat_of, map_rows, picture_of

HOSTILE = "real/<img src=x onerror=alert(1)>.png"
LONG = "real/" + "n" * 240 + ".png"
TURNED = "real/\u202egnp.txt"
CLASS = "</script><b>fake"
TRAINING = "fake/<img src=x onerror=alert(2)>.png"
NAMES = [HOSTILE, LONG, TURNED, *(f"real/cat-{n:03d}.png" for n in range(57))]


def record(n: int) -> Explanation:
    """Return the record of image ``n``.

    Every tenth is wrong, every sixth unsure; the first is right as it is; confidence falls with
    ``n``; image n's main prototype is n modulo 2. Images 7, 27 and 47 are unlike anything seen in
    training.
    """
    label, other = ("real", CLASS) if n % 2 else (CLASS, "real")
    predicted = other if n % 10 == 0 else label
    unsure = n % 6 == 0
    as_is = label if n == 0 else predicted
    confidence = 0.99 - 0.008 * n
    heat = np.linspace(-1, 2, 49).reshape(7, 7) * (n + 1)
    near: Neighbour = {
        "image": "t1",
        "path": TRAINING,
        "label": predicted,
        "predicted": predicted,
        "similarity": 0.9,
    }
    another: Neighbour = {**near, "image": "t2", "path": "real/t2.png", "similarity": 0.8}
    rows = [prototype(p, predicted, 3.0 if p == n % 2 else 1.0) for p in range(2)]
    return {
        "schema": SCHEMA,
        "name": NAMES[n],
        "image": f"v{n}",
        "label": label,
        "split": "val",
        "source": f"source {n % 3}",
        "verdict": {
            "statement": "unsure (it changes)" if unsure else f"looks like {predicted}",
            "remark": "" if as_is == predicted else f"As it is, it is {as_is}.",
            "predicted": predicted,
            "as_is": as_is,
            "unsure": unsure,
            "confidence": confidence,
            "probabilities": {predicted: confidence, "other": 1 - confidence},
            "set": [predicted],
            "flips": ["JPEG 40"] if unsure else [],
            "traces": None,
            "novelty": {"distance": 1.5, "quantile": 1.0 if n % 20 == 7 else 0.93},
        },
        "scope": "Generators seen in training: <none>.",
        "margin": 1.5,
        "deliveries": [
            {"name": "JPEG 75", "predicted": as_is, "margin": 1.25},
            {"name": "JPEG 40", "predicted": "other" if unsure else as_is, "margin": -0.5},
        ],
        "forensics": {"score": 0.625, "threshold": 0.5, "found": True},
        "heat": heat_of("gradcam", heat, 60.0, "margin") + heat_of("layercam", -heat),
        "twins": [
            {**near, "map": map_rows(heat)},
            {**another, "similarity": -0.8, "map": None},
        ],
        "neighbours": [near, {**another, "label": other, "predicted": label}],
        "disagree": 0.5 if n % 2 else 0.0,
        "counterfactual": {
            "image": "t1",
            "path": TRAINING,
            "label": predicted,
            "predicted": predicted,
            "to": other,
            "cells": [[0, 0], [6, 6]],
            "rows": 7,
            "columns": 7,
            "flips_in_image": False,
        },
        "prototypes": {
            "predicted": predicted,
            "biases": {predicted: 0.5, "other": -0.5},
            "logits": {predicted: 4.5, "other": -0.5},
            "size": 32,
            "rows": rows,
        },
        "influence": [{"image": "t1", "path": TRAINING, "label": predicted, "influence": 0.25}],
    }


def prototype(number: int, owner: str, points: float) -> Any:
    """Return a prototype's row."""
    return {
        "prototype": number,
        "class": owner,
        "similarity": points / 4,
        "weight": 4.0,
        "points": points,
        "place": [30, 4],
        "source": "t1",
        "source_path": TRAINING,
        "source_place": [8, 8],
        "patch": 16,
    }


def images(count: int) -> dict[str, str]:
    """Return the pictures of ``count`` records; one training image's is missing."""
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    return dict.fromkeys([*(f"v{n}" for n in range(count)), "t1"], picture_of(noise, 32))
