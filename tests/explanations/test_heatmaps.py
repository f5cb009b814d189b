"""Every method explains the margin, batched or not, and leaves the network as it was."""

import numpy as np
import pytest
import pytorch_grad_cam
import torch
from pytorch_grad_cam.utils.image import scale_cam_image

from tests.fitted import IMAGES, network
from twincam.explanations.gradcam import margin_maps
from twincam.explanations.heatmaps import METHODS, heat_maps
from twincam.models.forward import embed_batch
from twincam.models.network import Logits, normalise
from twincam.statistics.margins import margins

LAST = 4
NETWORK = network()
NETWORK.module.eval()
EMBEDDED = embed_batch(NETWORK, IMAGES)


def drawn(method: str, layer: int = LAST, count: int = 12) -> np.ndarray:
    return heat_maps(NETWORK, IMAGES[:count], EMBEDDED.logits[:count], method, layer)


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


@pytest.mark.parametrize("method", ["gradcam", "xgradcam", "hirescam"])
def test_last_maps_give_the_closed_form(method: str) -> None:
    weight = NETWORK.head.weight.detach().numpy()
    closed = margin_maps(EMBEDDED.maps, weight, EMBEDDED.logits)
    cells = closed[0].size
    assert drawn(method) * cells == pytest.approx(closed, rel=1e-4, abs=1e-6 * float(closed.max()))


@pytest.mark.parametrize(
    ("method", "name"),
    [
        ("gradcam", "GradCAM"),
        ("xgradcam", "XGradCAM"),
        ("gradcam++", "GradCAMPlusPlus"),
        ("layercam", "LayerCAM"),
        ("hirescam", "HiResCAM"),
        ("eigencam", "EigenCAM"),
    ],
)
def test_rectified_and_scaled_a_map_is_that_of_pytorch_grad_cam(method: str, name: str) -> None:
    layer, images = 2, IMAGES[:3]
    model = Logits(NETWORK)
    pairs = np.argsort(-EMBEDDED.logits[:3], axis=1)
    targets = [lambda logits, p=pair: logits[p[0]] - logits[p[1]] for pair in pairs]
    with getattr(pytorch_grad_cam, name)(model, [NETWORK.blocks[layer]]) as method_of_library:
        theirs = method_of_library(normalise(NETWORK, torch.from_numpy(images)), targets)
    for parameter in NETWORK.module.parameters():
        parameter.grad = None
    scaled = scale_cam_image(np.maximum(drawn(method, layer, 3), 0), theirs.shape[1:])
    ours = scale_cam_image(scaled)
    assert np.ptp(theirs) > 0.5
    assert ours == pytest.approx(theirs, abs=1e-3)


def test_integrated_gradients_add_up_to_the_change_from_the_mean_colour() -> None:
    images = IMAGES[:3]
    flat = np.broadcast_to(images.mean(axis=(1, 2), keepdims=True).round(), images.shape)
    logits = embed_batch(NETWORK, flat.astype(np.uint8)).logits
    rows, order = np.arange(3), np.argsort(-EMBEDDED.logits[:3], axis=1)
    change = margins(EMBEDDED.logits[:3]) - (logits[rows, order[:, 0]] - logits[rows, order[:, 1]])
    total = drawn("integrated_gradients", count=3).sum(axis=(1, 2))
    assert total == pytest.approx(change, abs=0.1 * float(np.abs(change).max()))


def test_earlier_layers_have_finer_maps() -> None:
    for method in ("gradcam", "xgradcam", "gradcam++", "layercam", "hirescam", "eigencam"):
        assert drawn(method, 2, 2).shape == (2, 8, 8)
        assert drawn(method, LAST, 2).shape == (2, 2, 2)
