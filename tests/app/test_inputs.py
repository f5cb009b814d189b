"""A classifier outside the pipeline takes what its `prepare` makes, and nothing else."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from onnxruntime.capi.onnxruntime_pybind11_state import InvalidArgument

from tests.conftest import user_error
from tests.fitted import IMAGES, network
from twincam.app.classifier import Classifier
from twincam.app.export import export_onnx
from twincam.images.params import Prepare

SETTINGS = Prepare(image_size=64, harmonise=True, jpeg_quality=85)
GOOD = torch.from_numpy(IMAGES[:2])
WRONG = {
    "floats 0..1": GOOD / 255,
    "another integer": GOOD.long(),
    "another size": GOOD[:, :32, :32],
    "not square": GOOD[:, :, :32],
    "grey": GOOD[..., 0],
    "one channel": GOOD[..., :1],
    "channels first": GOOD.permute(0, 3, 1, 2),
    "with transparency": torch.cat([GOOD, GOOD[..., :1]], dim=-1),
    "a single image": GOOD[0],
}


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier(network(), SETTINGS).eval()


@pytest.mark.parametrize("name", WRONG)
def test_other_input_is_refused(classifier: Classifier, name: str) -> None:
    images = WRONG[name]
    message = user_error(classifier, images=images)
    assert "expected bytes (torch.uint8) [N,64,64,3] from `prepare`" in message
    assert f"got {images.dtype} {list(images.shape)}" in message


def test_what_is_no_tensor_is_refused(classifier: Classifier) -> None:
    assert "got ndarray" in user_error(classifier, images=IMAGES)
    assert "got list" in user_error(classifier, images=[GOOD[0], GOOD[1]])


def test_the_exported_network_takes_and_refuses_the_same(
    classifier: Classifier, tmp_path: Path
) -> None:
    export_onnx(classifier, tmp_path / "classifier.onnx")
    session = onnxruntime.InferenceSession(
        tmp_path / "classifier.onnx", providers=["CPUExecutionProvider"]
    )
    with torch.no_grad():
        expected = classifier(GOOD[:1])[0].numpy()
    found = session.run(["probabilities"], {"images": GOOD[:1].numpy()})[0]
    assert np.abs(found - expected).max() < 1e-4
    for images in WRONG.values():
        with pytest.raises(InvalidArgument):
            session.run(None, {"images": images.numpy()})
