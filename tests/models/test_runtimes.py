"""A compiled network gives what torch gives, the same bits each time, and torch where asked."""

from typing import Literal

import numpy as np
import pytest
import torch

from tests.fitted import IMAGES
from twincam.determinism import Run, make_torch_deterministic
from twincam.models.architectures import ARCHITECTURES, HALF
from twincam.models.embedded import Embedded
from twincam.models.forward import embed, embed_batch, to_inputs
from twincam.models.network import Network, create, with_head
from twincam.models.runtimes import compiled

AUTO = Run(engine="local", threads=1, runtime="auto")


def network(arch: str = "efficientnet_lite0") -> Network:
    make_torch_deterministic(0, "test", threads=1)
    made = create(arch, ("a", "b"), HALF)
    made.module.train()
    for _ in range(3):
        made.module(torch.rand(4, 3, 64, 64) * 2 - 1)
    made.module.eval()
    return made


def arrays(found: Embedded) -> list[np.ndarray]:
    return [*found.maps, found.features, found.logits]


@pytest.mark.parametrize("levels", [1, 3])
@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_a_compiled_network_gives_the_same_as_torch(arch: str, levels: int) -> None:
    plain = with_head(network(arch), None, levels)
    fast = compiled(plain, AUTO)
    for size in (64, 96):
        images = np.random.default_rng(size).integers(0, 256, (3, size, size, 3), dtype=np.uint8)
        pairs = zip(*(arrays(embed_batch(one, images)) for one in (plain, fast)), strict=True)
        for expected, found in pairs:
            assert np.ptp(expected) > 1e-3
            np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())


def test_any_number_of_images() -> None:
    plain = network()
    forward, inputs = compiled(plain, AUTO).infer, to_inputs(plain, IMAGES)
    expected = plain.blocks(inputs).detach()
    for count in (4, 1, 3, 2, 4, 1):
        (found,) = forward(inputs[:count])
        assert torch.allclose(found, expected[:count], atol=1e-4)


def test_the_same_bits_each_time_and_in_another_session() -> None:
    rows = np.arange(len(IMAGES))
    first, again = (embed(compiled(network(), AUTO), IMAGES, rows, maps=True) for _ in range(2))
    pairs = zip(arrays(first), arrays(again), strict=True)
    assert all(np.array_equal(one, other) for one, other in pairs)


@pytest.mark.parametrize(
    ("runtime", "place", "stays"),
    [
        ("auto", "cpu", False),
        ("onnxruntime", "cpu", False),
        ("torch", "cpu", True),
        ("auto", "meta", True),
        ("torch", "meta", True),
    ],
)
def test_torch_stays_where_asked_and_where_auto_finds_another_device(
    runtime: Literal["auto", "torch", "onnxruntime"], place: str, stays: bool
) -> None:
    plain = network()
    plain.module.to(place)
    assert (
        compiled(plain, Run(engine="local", threads=1, runtime=runtime)).infer is plain.infer
    ) == stays
