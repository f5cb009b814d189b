"""Write a classifier as ONNX, so that it runs where there is no Python or torch."""

import json
from pathlib import Path

import onnx
import torch

from stages.common.artifacts import write_bytes
from verdict.classifier import Classifier

OUTPUTS = ("probabilities", "maps")


def export_onnx(classifier: Classifier, path: Path) -> None:
    """Write ``images`` (bytes ``[N,size,size,3]``) to ``probabilities`` and ``maps`` as ONNX.

    The file's metadata hold the classes and the preprocessing as JSON.
    """
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
    about = {"classes": classifier.classes, "preprocessing": classifier.preprocessing.model_dump()}
    onnx.helper.set_model_props(
        model, {key: json.dumps(value, sort_keys=True) for key, value in about.items()}
    )
    onnx.checker.check_model(model)
    write_bytes(path, model.SerializeToString())
