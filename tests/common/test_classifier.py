"""What the classifier says of images, in whatever form they come."""

from pathlib import Path

import numpy as np
import pytest
import torch

from stages.common.artifacts import read_array, write_array
from stages.common.backbones import HALF, create, device, normalise
from stages.common.classifier import logits_of
from stages.common.fitting import BATCH


@pytest.mark.parametrize("count", [0, 1, BATCH + 1])
def test_logits_are_those_of_the_whole_network(tmp_path: Path, count: int) -> None:
    torch.manual_seed(0)
    network = create("resnet18", ("a", "b", "c"), HALF)
    network.module.eval().to(device())
    images = np.random.default_rng(0).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
    write_array(tmp_path / "images.npy", images)
    found = logits_of(network, read_array(tmp_path / "images.npy"))
    assert found.shape == (count, 3)
    assert found.dtype == np.float32
    if count:
        with torch.no_grad():
            pixels = torch.from_numpy(images).to(device())
            expected = network.module(normalise(network, pixels)).cpu().numpy()
        assert found == pytest.approx(expected, abs=1e-4)
