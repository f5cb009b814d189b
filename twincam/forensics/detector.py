"""The detector of traces: linear scores of described views, a threshold, and their file."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from safetensors import SafetensorError, safe_open

from twincam.files.errors import UserError

FORMAT = "twincam-forensics-1"


class Discriminant(NamedTuple):
    """A linear score of standardised descriptions; all but ``bias`` are ``[F]``."""

    centre: np.ndarray
    spread: np.ndarray
    weight: np.ndarray
    bias: np.ndarray

    def score(self, described: np.ndarray) -> np.ndarray:
        """Return the mean score ``[N]`` of described views ``[N,V,F]``; larger: a remake."""
        flat = described.reshape(-1, described.shape[-1])
        scores = (flat - self.centre) / self.spread @ self.weight + self.bias
        return np.asarray(scores.reshape(described.shape[:2]).mean(axis=1))


class Detector(NamedTuple):
    """Models, each fitted to a part of the photographs; scores above ``threshold`` are traces."""

    models: Sequence[Discriminant]
    threshold: float


def mean_score(models: Sequence[Discriminant], described: np.ndarray) -> np.ndarray:
    """Return the mean ``[N]`` over ``models`` of the scores of images that none was fitted on."""
    return np.asarray(np.mean([model.score(described) for model in models], axis=0))


def detector_file(detector: Detector | None) -> bytes:
    """Return the content of the detector's file, safetensors; without tensors if there is none."""
    from safetensors.numpy import save

    tensors = {}
    if detector is not None:
        parts = zip(Discriminant._fields, zip(*detector.models, strict=True), strict=True)
        tensors = {name: np.stack(part) for name, part in parts}
        tensors["threshold"] = np.array(detector.threshold)
    return bytes(save(tensors, metadata={"twincam": json.dumps({"format": FORMAT})}))


def read_detector(path: Path) -> Detector | None:
    """Read a file with the content that `detector_file` returns; None if traces are not looked for.

    Raises:
        UserError: the file is something else.
    """
    try:
        with safe_open(path, "np") as file:
            known = json.loads(file.metadata()["twincam"])["format"] == FORMAT
            found = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, TypeError, KeyError, ValueError):
        known = False
    if not known:
        raise UserError(
            f"{path}: expected the detector of traces of this pipeline; run `dvc repro forensics`"
        )
    if not found:
        return None
    parts = zip(*(found[name] for name in Discriminant._fields), strict=True)
    return Detector([Discriminant(*part) for part in parts], float(found["threshold"]))
