"""Write a classifier as ONNX, so that it runs where there is no Python or torch."""

import json
import os
from pathlib import Path

import onnx
import torch
from google.protobuf.message import DecodeError

from stages.common.artifacts import partial_of, write_bytes
from stages.common.errors import UserError
from verdict.classifier import Classifier

OUTPUTS = ("probabilities", "maps")
ABOUT = ("classes", "preprocessing")


def export_onnx(classifier: Classifier, path: Path) -> None:
    """Write ``images`` (bytes ``[N,size,size,3]``) to ``probabilities`` and ``maps`` as ONNX.

    The file's metadata hold the classes and the preprocessing as JSON. A link is followed.

    Raises:
        UserError: something stands at ``path`` that is no such file.
    """
    require_own_onnx(path)
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
    values = (classifier.classes, classifier.preprocessing.model_dump())
    about = dict(zip(ABOUT, values, strict=True))
    onnx.helper.set_model_props(
        model, {key: json.dumps(value, sort_keys=True) for key, value in about.items()}
    )
    onnx.checker.check_model(model)
    write_bytes(Path(os.path.realpath(path)), model.SerializeToString())


def require_own_onnx(path: Path) -> None:
    """Raise `UserError` unless `export_onnx` may write to ``path``.

    Nothing may stand there but what `export_onnx` wrote; nor where it writes first.
    """
    if path.name in ("", ".."):
        raise UserError(f"--onnx {str(path)!r}: expected the name of a file; name one below it")
    place = Path(os.path.realpath(path))
    for file in (place, partial_of(place)):
        if file.exists() and not (file.is_file() and is_own_onnx(file)):
            raise UserError(
                f"{file}: expected nothing or an ONNX file that this command wrote, found "
                "something else; name another file with --onnx"
            )


def is_own_onnx(file: Path) -> bool:
    """Say whether ``file`` is ONNX with the metadata that `export_onnx` writes."""
    try:
        model = onnx.load(file, format="protobuf", load_external_data=False)
    except DecodeError:
        return False
    return {prop.key for prop in model.metadata_props} >= set(ABOUT)
