"""On a GPU: the CPU's results within rounding, and training in mixed precision."""

import numpy as np
import pytest
import torch

from tests.fitted import IMAGES, LABELS, SETTINGS, network
from twincam.explanations.gradcam import margin_maps
from twincam.explanations.heatmaps import heat_maps
from twincam.models.forward import embed_batch
from twincam.models.network import Network
from twincam.training.activations import augmented_inputs
from twincam.training.fitting import Epoch, Recipe, fit
from twincam.training.labelled import LabelledInputs

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine"),
]


def on_gpu() -> Network:
    net = network()
    net.module.eval().to("cuda").to(memory_format=torch.channels_last)
    return net


def trained(net: Network, cut: int) -> list[Epoch]:
    settings = SETTINGS.model_copy(update={"unfreeze_from": cut})
    rows = np.arange(len(IMAGES))
    inputs = augmented_inputs(net, IMAGES, rows, cut, settings, 0)
    data = LabelledInputs(inputs, LABELS, np.ones(len(LABELS)))
    return fit(net, data, data, Recipe(settings, 0))[0]


def test_the_forward_pass_is_the_cpus() -> None:
    cpu = network()
    cpu.module.eval()
    expected, found = embed_batch(cpu, IMAGES), embed_batch(on_gpu(), IMAGES)
    sides = ([*one.maps, one.features, one.logits] for one in (found, expected))
    for one, other in zip(*sides, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-2, atol=1e-2 * np.abs(other).max())


def test_grad_cam_in_closed_form_is_captums() -> None:
    net = on_gpu()
    seen = embed_batch(net, IMAGES)
    ours = margin_maps(seen.maps, net.head.weight.detach().cpu().numpy(), seen.logits)
    theirs = heat_maps(net, IMAGES, seen.logits, "gradcam", len(net.blocks) - 1)
    cells = ours[0].size
    np.testing.assert_allclose(ours / cells, theirs, atol=1e-2 * np.abs(theirs).max())


@pytest.mark.parametrize("cut", [0, 3])
def test_training_in_mixed_precision_follows_the_cpus(cut: int) -> None:
    found, expected = trained(on_gpu(), cut), trained(network(), cut)
    assert [one.train_loss for one in found] == pytest.approx(
        [one.train_loss for one in expected], rel=0.1
    )


def test_training_gives_the_same_bits_twice() -> None:
    first, second = on_gpu(), on_gpu()
    trained(first, 0)
    trained(second, 0)
    states = first.module.state_dict(), second.module.state_dict()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_training_computes_in_bfloat16() -> None:
    kinds = set()
    net = on_gpu()
    net.head.register_forward_hook(lambda _m, _i, logits: kinds.add(logits.dtype))
    trained(net, 3)
    assert kinds == {torch.bfloat16}
    assert all(weight.dtype == torch.float32 for weight in net.module.parameters())
