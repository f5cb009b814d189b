"""Out-of-fold logits of deliveries are those of the files, as `stability` reads them."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.conftest import user_error
from twincam.deliveries import DELIVERIES, read_deliveries
from twincam.images.params import Prepare
from twincam.models.architectures import HALF
from twincam.models.forward import logits_of
from twincam.models.network import Network, create
from twincam.training.originals import Originals, delivered_logits

SETTINGS = Prepare(image_size=32, harmonise=True, jpeg_quality=90)
COUNT = 6


@pytest.fixture(scope="module")
def network() -> Network:
    torch.manual_seed(0)
    made = create("resnet18", ("fake", "real"), HALF)
    made.module.eval()
    return made


@pytest.fixture
def originals(tmp_path: Path) -> Originals:
    rng = np.random.default_rng(0)
    files = [tmp_path / f"{n}.png" for n in range(COUNT)]
    for file in files:
        Image.fromarray(rng.integers(0, 256, (40, 48, 3), dtype=np.uint8)).save(file)
    sha256 = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
    return Originals(files, sha256, SETTINGS, 10_000, 2)


def test_each_delivery_of_the_rows_in_order(network: Network, originals: Originals) -> None:
    rows = np.array([5, 0, 3, 2, 1])
    found = delivered_logits(network, originals, rows)
    assert found.shape == (len(rows), len(DELIVERIES), 2)
    for row, logits in zip(rows, found, strict=True):
        _, squares = read_deliveries(originals.files[row], SETTINGS, None)
        np.testing.assert_allclose(logits, logits_of(network, squares), atol=1e-4)
    assert delivered_logits(network, originals, rows[:0]).shape == (0, len(DELIVERIES), 2)


def test_a_file_that_changed_since_it_was_split(network: Network, originals: Originals) -> None:
    originals.files[1].write_bytes(originals.files[2].read_bytes())
    arguments = {"network": network, "originals": originals, "rows": np.arange(COUNT)}
    assert "different content" in user_error(delivered_logits, **arguments)
