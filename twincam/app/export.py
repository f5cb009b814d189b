"""Write a classifier as ONNX, so that it runs where there is no Python or torch."""

import json
from pathlib import Path

import onnx
import torch
from google.protobuf.message import DecodeError

from twincam.app.classifier import Classifier
from twincam.files.atomic import write_bytes
from twincam.files.overwriting import resolve_output

OUTPUTS = ("probabilities", "maps")
ABOUT = ("classes", "preprocessing")
PRODUCER = "twincam"


def export_onnx(classifier: Classifier, path: Path) -> None:
    """Write ``images`` (bytes ``[N,size,size,3]``) to ``probabilities`` and ``maps`` as ONNX.

    The file's metadata hold the classes and the preprocessing as JSON. A link is followed.

    Raises:
        UserError: ``path`` exists and is not such a file.
    """
    place = place_of_onnx(path)
    size = classifier.preprocessing.image_size
    example = torch.zeros(2, size, size, 3, dtype=torch.uint8)
    program = torch.onnx.export(
        classifier,
        (example,),
        input_names=["images"],
        output_names=list(OUTPUTS),
        dynamic_shapes={"images": {0: torch.export.Dim("n")}},
        dynamo=True,
        verbose=False,
    )
    assert program is not None
    model = program.model_proto
    model.producer_name = PRODUCER
    values = (classifier.classes, classifier.preprocessing.model_dump())
    about = dict(zip(ABOUT, values, strict=True))
    onnx.helper.set_model_props(
        model, {key: json.dumps(value, sort_keys=True) for key, value in about.items()}
    )
    onnx.checker.check_model(model)
    write_bytes(place, model.SerializeToString())


def place_of_onnx(target: Path) -> Path:
    """Return the file that ``--onnx`` names, if `export_onnx` may write there."""
    return resolve_output(target, "--onnx", is_own_onnx, "nothing or ONNX that this command wrote")


def is_own_onnx(file: Path) -> bool:
    """Return whether ``file`` is ONNX with exactly the producer and metadata of `export_onnx`."""
    if not file.is_file():
        return False
    try:
        model = onnx.load(file, format="protobuf", load_external_data=False)
    except DecodeError:
        return False
    keys = sorted(prop.key for prop in model.metadata_props)
    return model.producer_name == PRODUCER and keys == sorted(ABOUT)
