"""The closed form is Captum's Grad-CAM, and adds up to the margin."""

import numpy as np
import pytest
import torch
from captum.attr import LayerGradCam

from twincam.explanations.gradcam import margin_maps
from twincam.models.architectures import HALF
from twincam.models.network import Logits, Network, create, maps_of, pool, with_head
from twincam.statistics.margins import margin_classes, margins

LAYER = {"efficientnet_lite0": "bn2", "resnet18": "layer4", "resnet50": "layer4"}


@pytest.fixture(params=sorted(LAYER))
def case(request: pytest.FixtureRequest) -> tuple[Network, torch.Tensor]:
    torch.manual_seed(1)
    network = create(request.param, ("a", "b", "c"), HALF)
    network.module.eval()
    return network, torch.randn(3, 3, 96, 96)


def closed_form(network: Network, inputs: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    with torch.no_grad():
        maps = maps_of(network)(inputs)
        logits = network.head(pool(maps)).numpy()
    levels = tuple(level.numpy() for level in maps)
    return logits, margin_maps(levels, network.head.weight.detach().numpy(), logits)


def test_equals_captums(case: tuple[Network, torch.Tensor]) -> None:
    network, inputs = case
    logits, ours = closed_form(network, inputs)
    predicted, rival = (torch.from_numpy(index) for index in margin_classes(logits))

    def margin(images: torch.Tensor) -> torch.Tensor:
        scores = network.module(images)
        return (scores.gather(1, predicted[:, None]) - scores.gather(1, rival[:, None]))[:, 0]

    layer = getattr(network.module, LAYER[network.arch])
    theirs = LayerGradCam(margin, layer).attribute(inputs)[:, 0].detach().numpy()
    cells = theirs[0].size
    np.testing.assert_allclose(ours / cells, theirs, rtol=1e-5, atol=1e-6 * np.abs(theirs).max())


@pytest.mark.parametrize("size", [96, 104])
@pytest.mark.parametrize("levels", [1, 2, 3, 4])
def test_mean_plus_bias_is_the_margin(
    case: tuple[Network, torch.Tensor], levels: int, size: int
) -> None:
    network = with_head(case[0], None, levels)
    inputs = torch.randn(3, 3, size, size)
    logits, maps = closed_form(network, inputs)
    assert maps.shape[1] == -(-size // (64 >> levels))
    with torch.no_grad():
        assert Logits(network)(inputs).numpy() == pytest.approx(logits)
    predicted, rival = margin_classes(logits)
    bias = network.head.bias.detach().numpy()
    total = maps.mean(axis=(1, 2)) + bias[predicted] - bias[rival]
    assert total == pytest.approx(margins(logits), rel=1e-5, abs=1e-5)


def test_margin_is_of_the_two_best_and_never_negative() -> None:
    logits = np.array([[1.0, 3.0, 2.5], [0.0, 0.0, -1.0]])
    predicted, rival = margin_classes(logits)
    assert predicted.tolist() == [1, 0]
    assert rival.tolist() == [2, 1]
    assert margins(logits).tolist() == [0.5, 0.0]
