"""Every method explains the margin, batched or not, and leaves the network as it was."""

import numpy as np
import pytest
import torch

from tests.fitted import IMAGES, network
from twincam.explanations.gradcam import margin_maps, margins
from twincam.explanations.heatmaps import METHODS, heat_maps
from twincam.models.forward import embed_batch

LAST = 4
NETWORK = network()
NETWORK.module.eval()
SEEN = embed_batch(NETWORK, IMAGES)


def drawn(method: str, layer: int = LAST, count: int = 12) -> np.ndarray:
    return heat_maps(NETWORK, IMAGES[:count], SEEN.logits[:count], method, layer)


@pytest.mark.parametrize("method", sorted(METHODS))
def test_batches_change_nothing_and_the_network_is_left_as_it_was(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {name: tensor.clone() for name, tensor in NETWORK.module.state_dict().items()}
    together = drawn(method, count=3)
    monkeypatch.setattr("twincam.models.forward.BATCH", 2)
    scale = float(np.abs(together).max())
    assert drawn(method, count=3) == pytest.approx(together, rel=1e-3, abs=1e-3 * scale)
    assert together.dtype == np.float32
    assert len({image.tobytes() for image in together}) == 3

    modules = list(NETWORK.module.modules())
    assert not any(m._forward_hooks or m._backward_hooks for m in modules)
    weights = list(NETWORK.module.parameters())
    assert all(weight.grad is None and weight.requires_grad for weight in weights)
    after = NETWORK.module.state_dict()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())


@pytest.mark.parametrize("method", ["gradcam", "hirescam"])
def test_last_maps_give_the_closed_form(method: str) -> None:
    weight = NETWORK.head.weight.detach().numpy()
    closed = margin_maps(SEEN.maps, weight, SEEN.logits)
    cells = closed[0].size
    assert drawn(method) * cells == pytest.approx(closed, rel=1e-4, abs=1e-6 * float(closed.max()))


def test_integrated_gradients_add_up_to_the_change_from_the_mean_colour() -> None:
    images = IMAGES[:3]
    flat = np.broadcast_to(images.mean(axis=(1, 2), keepdims=True).round(), images.shape)
    logits = embed_batch(NETWORK, flat.astype(np.uint8)).logits
    rows, order = np.arange(3), np.argsort(-SEEN.logits[:3], axis=1)
    change = margins(SEEN.logits[:3]) - (logits[rows, order[:, 0]] - logits[rows, order[:, 1]])
    total = drawn("integrated_gradients", count=3).sum(axis=(1, 2))
    assert total == pytest.approx(change, abs=0.1 * float(np.abs(change).max()))


def test_earlier_layers_have_finer_maps() -> None:
    for method in ("gradcam", "gradcam++", "layercam", "hirescam", "eigencam"):
        assert drawn(method, 2, 2).shape == (2, 8, 8)
        assert drawn(method, LAST, 2).shape == (2, 2, 2)
