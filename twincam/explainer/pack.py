"""The folder ``models/explainer/``: everything that explaining one picture needs.

`about.json` describes it and holds the hash of every other file; `arrays.npz` holds what is known
of the training images; `thumbnails.bin` their pictures, WebP one after the other; `classifier.onnx`
and `prototypes.onnx` the networks; `forensics.safetensors` the detector of traces. Reading it loads
neither torch, pandas nor SciPy.
"""

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from twincam.confidence.verdicts import ConfidenceModel
from twincam.explanations.influence import Refit
from twincam.explanations.prototypes.contributions import LastLayer
from twincam.explanations.prototypes.places import Field
from twincam.files.atomic import atomic_folder
from twincam.files.errors import UserError
from twincam.forensics.detector import Detector, detector_file, read_detector
from twincam.images.harmonising import Square
from twincam.models.embedded import Embedded, Maps

FORMAT = "twincam-explainer-5"

CLASSIFIER = "classifier.safetensors"
"""The trained classifier, beside the folder where the pipeline wrote both."""

ABOUT, ARRAYS, THUMBNAILS = "about.json", "arrays.npz", "thumbnails.bin"
CLASSIFIER_GRAPH, PROTOTYPES_GRAPH = "classifier.onnx", "prototypes.onnx"
DETECTOR = "forensics.safetensors"


class Settings(NamedTuple):
    """How pictures are prepared, compared and judged.

    ``mean`` and ``std`` are those that the networks' inputs are normalised with; ``space`` is that
    of the twins, ``shown`` how many are; ``influence`` the estimate of influence, "" for none;
    ``heat_scale`` the evidence drawn at full intensity.
    """

    classes: tuple[str, ...]
    real_class: str | None
    preprocessing: Square
    mean: tuple[float, ...]
    std: tuple[float, ...]
    confidence: ConfidenceModel
    scope: str
    space: str
    shown: int
    influence: str
    heat_scale: float


class Training(NamedTuple):
    """T training images.

    Attributes:
        ids: of the images.
        paths: of their files, relative to ``data.root``.
        labels: class indices ``[T]``.
        embedded: their features and logits; their coarsest maps only where the space of the twins
            compares maps.
        scores: of their cells, ``[T,K,h,w]`` (`class_scores`).
        distances: of each to the nearest other, ``[T]`` (twincam/explanations/twins/novelty.py).
    """

    ids: Sequence[str]
    paths: Sequence[str]
    labels: np.ndarray
    embedded: Embedded
    scores: np.ndarray
    distances: np.ndarray


class Head(NamedTuple):
    """The classifier's linear head: weight ``[K,C]`` and bias ``[K]``."""

    weight: np.ndarray
    bias: np.ndarray


class Influences(NamedTuple):
    """The head refitted to the training images, and the inverse of its Hessian, ``[K*d,K*d]``."""

    refit: Refit
    inverse: np.ndarray


class PrototypePart(NamedTuple):
    """The prototype network: its graph, last layer, receptive fields, and prototypes' sources.

    ``sources`` are P rows ``id, path, centre_y, centre_x, receptive_field``.
    """

    graph: bytes
    layer: LastLayer
    field: Field
    sources: Sequence[Mapping[str, Any]]


class Pack(NamedTuple):
    """What `read_pack` reads.

    ``detector`` is None if traces are not looked for; ``influences``, if no influence is shown.
    """

    graph: bytes
    head: Head
    settings: Settings
    training: Training
    prototypes: PrototypePart
    detector: Detector | None
    influences: Influences | None
    thumbnails: dict[str, bytes]


def write_pack(folder: Path, pack: Pack, classifier: str) -> None:
    """Write ``pack`` to ``folder``; ``classifier`` is the sha256 of the classifier's file."""
    pictures = [pack.thumbnails[name] for name in pack.training.ids]
    files = {
        CLASSIFIER_GRAPH: pack.graph,
        PROTOTYPES_GRAPH: pack.prototypes.graph,
        DETECTOR: detector_file(pack.detector),
        THUMBNAILS: b"".join(pictures),
        ARRAYS: _zipped(_arrays(pack)),
    }
    about = {
        "format": FORMAT,
        "classifier": classifier,
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
        **pack.settings._asdict(),
        "preprocessing": pack.settings.preprocessing._asdict(),
        "confidence": pack.settings.confidence._asdict(),
        "training": list(pack.training.ids),
        "finer": pack.training.embedded.finer,
        "paths": list(pack.training.paths),
        "thumbnails": [len(picture) for picture in pictures],
        "field": pack.prototypes.field._asdict(),
        "prototypes": list(pack.prototypes.sources),
        "refit_scale": pack.influences.refit.scale if pack.influences else None,
    }
    text = json.dumps(about, sort_keys=True, ensure_ascii=False, indent=1)
    with atomic_folder(folder) as partial:
        for name, content in {**files, ABOUT: text.encode()}.items():
            (partial / name).write_bytes(content)


def _arrays(pack: Pack) -> dict[str, np.ndarray]:
    training, layer = pack.training, pack.prototypes.layer
    found = {
        "head_weight": pack.head.weight,
        "head_bias": pack.head.bias,
        "labels": training.labels,
        "features": training.embedded.features,
        "logits": training.embedded.logits,
        "scores": training.scores,
        "distances": training.distances,
        "owner": layer.owner,
        "prototype_weight": layer.weight,
        "prototype_bias": layer.bias,
    }
    if pack.influences:
        refit, inverse = pack.influences
        found |= {
            "refit_weight": refit.weight,
            "refit_references": refit.references,
            "refit_basis": refit.basis,
            "refit_inverse": inverse,
        }
    if training.embedded.maps:
        found["maps"] = training.embedded.maps[0].astype(np.float16)
    double = [name for name, array in found.items() if array.dtype == np.float64]
    single = {name: found[name].astype(np.float32) for name in double}
    return {**found, **single}


def _zipped(arrays: Mapping[str, np.ndarray]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **dict(arrays))
    return buffer.getvalue()


def read_pack(folder: Path) -> Pack:
    """Read the folder that the stage ``explainer`` wrote.

    Raises:
        UserError: there is none, it is damaged, of another version, or belongs to another
            classifier than the one beside it.
    """
    about = _about(folder)
    files = {name: _checked(folder / name, digest) for name, digest in about["files"].items()}
    beside = folder.parent / CLASSIFIER
    if beside.is_file() and _digest(beside.read_bytes()) != about["classifier"]:
        raise UserError(
            f"{folder}: belongs to another classifier than {beside}; run `dvc repro explainer`, or "
            "`dvc pull` to get both"
        )
    with np.load(io.BytesIO(files[ARRAYS]), allow_pickle=False) as file:
        arrays = dict(file)
    confidence = ConfidenceModel(**about["confidence"])
    settings = {name: about[name] for name in Settings._fields}
    settings |= {name: tuple(about[name]) for name in ("classes", "mean", "std")}
    settings |= {"preprocessing": Square(**about["preprocessing"]), "confidence": confidence}
    layer = LastLayer(arrays["owner"], arrays["prototype_weight"], arrays["prototype_bias"])
    return Pack(
        graph=files[CLASSIFIER_GRAPH],
        head=Head(arrays["head_weight"], arrays["head_bias"]),
        settings=Settings(**settings),
        training=Training(
            ids=about["training"],
            paths=about["paths"],
            labels=arrays["labels"],
            embedded=Embedded(_maps(arrays), arrays["features"], arrays["logits"], about["finer"]),
            scores=arrays["scores"],
            distances=arrays["distances"],
        ),
        prototypes=PrototypePart(
            files[PROTOTYPES_GRAPH], layer, Field(**about["field"]), about["prototypes"]
        ),
        detector=read_detector(folder / DETECTOR),
        influences=_influences(arrays, about["refit_scale"]),
        thumbnails=_split(files[THUMBNAILS], about["training"], about["thumbnails"]),
    )


def _maps(arrays: Mapping[str, np.ndarray]) -> Maps:
    return (arrays["maps"].astype(np.float32),) if "maps" in arrays else ()


def _influences(arrays: Mapping[str, np.ndarray], scale: float | None) -> Influences | None:
    if scale is None:
        return None
    names = ("refit_weight", "refit_references", "labels", "refit_basis", "refit_inverse")
    weight, references, labels, basis, inverse = (arrays[name] for name in names)
    return Influences(Refit(weight, references, labels, scale, basis), inverse)


def _split(content: bytes, names: Sequence[str], lengths: Sequence[int]) -> dict[str, bytes]:
    ends = np.cumsum(lengths).tolist()
    return {
        name: content[end - length : end]
        for name, length, end in zip(names, lengths, ends, strict=True)
    }


def _about(folder: Path) -> dict[str, Any]:
    try:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        about = None
    if not isinstance(about, dict) or not str(about.get("format")).startswith("twincam-explainer-"):
        raise UserError(
            f"{folder}: expected the folder that the stage `explainer` writes, found something "
            "else; run `dvc repro explainer` or `dvc pull`, or give its path with --explainer"
        )
    if about["format"] != FORMAT:
        raise UserError(
            f"{folder}: has format {about['format']}, expected {FORMAT}; run `dvc repro explainer` "
            "with this version of TwinCAM, or install the version that wrote it"
        )
    return about


def _checked(path: Path, digest: str) -> bytes:
    content = path.read_bytes() if path.is_file() else b""
    if _digest(content) != digest:
        found = "is damaged" if content else "is missing"
        raise UserError(f"{path}: {found}; remove its folder, then run `dvc checkout`")
    return content


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
