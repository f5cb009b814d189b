"""Grad-CAM of a batch: in closed form, by three libraries, and by the loop of most tutorials.

The peers run as their documentation shows. Captum and grad-cam explain the margin, as the closed
form does, torchcam and the loop the predicted class; grad-cam also scales its maps to the image.
"""

from typing import Any

import numpy as np
import torch
from captum.attr import LayerGradCam
from pytorch_grad_cam import GradCAM
from torch import Tensor, nn
from torchcam.methods import GradCAM as TorchcamGradCAM

from benchmarks.peers.networks import LAST, last_layer, network_of
from benchmarks.peers.timing import Calls, in_turn, print_times
from twincam.determinism import Run
from twincam.explanations.gradcam import margin_maps
from twincam.models.forward import embed_batch, to_inputs
from twincam.models.network import Network
from twincam.models.runtimes import compiled
from twincam.statistics.margins import margin_classes

ROUNDS = 7


def print_gradcam(images: np.ndarray, run: Run) -> None:
    """Print the time of each way for both networks.

    Args:
        images: bytes ``[B,S,S,3]``.
        run: threads and runtime.
    """
    for arch in LAST:
        times = in_turn(ways(network_of(arch), images, run), ROUNDS)
        print_times(f"Grad-CAM, {arch}", times, "forward, compiled", len(images), "an image")


def ways(network: Network, images: np.ndarray, run: Run) -> Calls:
    """Return every way to explain ``images``, and the forward passes alone, by name."""
    fast, inputs = compiled(network, run), to_inputs(network, images)
    return {
        "forward, torch": lambda: embed_batch(network, images),
        "forward, compiled": lambda: embed_batch(fast, images),
        "TwinCAM, torch": lambda: closed_form(network, images),
        "TwinCAM, compiled": lambda: closed_form(fast, images),
        "Captum": lambda: captums(network, inputs),
        "grad-cam": lambda: grad_cams(network, inputs),
        "torchcam, a batch": lambda: torchcams(network, inputs),
        "torchcam, one by one": lambda: [torchcams(network, one[None]) for one in inputs],
        "hooks and a backward pass, one by one": lambda: [hooked(network, one) for one in inputs],
    }


def closed_form(network: Network, images: np.ndarray) -> np.ndarray:
    """Return our maps ``[B,h,w]`` of bytes ``[B,S,S,3]``."""
    found = embed_batch(network, images)
    return margin_maps(found.maps, network.head.weight.detach().numpy(), found.logits)


def captums(network: Network, inputs: Tensor) -> Tensor:
    """Return Captum's maps ``[B,1,h,w]`` of inputs ``[B,3,S,S]``."""
    with torch.no_grad():
        pairs = torch.from_numpy(np.stack(margin_classes(network.module(inputs).numpy()), axis=1))

    def margin(pixels: Tensor) -> Tensor:
        predicted, rival = network.module(pixels).gather(1, pairs).unbind(dim=1)
        return predicted - rival

    maps: Tensor = LayerGradCam(margin, last_layer(network)).attribute(inputs)
    return maps


def grad_cams(network: Network, inputs: Tensor) -> np.ndarray:
    """Return grad-cam's maps ``[B,S,S]`` of inputs ``[B,3,S,S]``."""
    targets = [lambda logits: logits.max() - logits.min()] * len(inputs)
    with GradCAM(network.module, [last_layer(network)]) as method:
        return np.asarray(method(inputs, targets))


def torchcams(network: Network, inputs: Tensor) -> Tensor:
    """Return torchcam's maps ``[B,h,w]`` of inputs ``[B,3,S,S]``."""
    with TorchcamGradCAM(network.module, last_layer(network)) as method:
        logits = network.module(inputs)
        maps: Tensor = method(logits.argmax(dim=1).tolist(), logits)[0]
        return maps


def hooked(network: Network, image: Tensor) -> Tensor:
    """Return the map ``[h,w]`` of one input ``[3,S,S]``, as tutorials compute it."""
    kept: dict[str, Tensor] = {}

    def keep_maps(_layer: nn.Module, _inputs: object, maps: Tensor) -> None:
        kept["maps"] = maps

    def keep_gradients(_layer: nn.Module, _inputs: object, gradients: Any) -> None:
        kept["gradients"] = gradients[0]

    layer = last_layer(network)
    hooks = (
        layer.register_forward_hook(keep_maps),
        layer.register_full_backward_hook(keep_gradients),
    )
    logits = network.module(image[None])
    network.module.zero_grad()
    logits[0, logits[0].argmax()].backward()
    for hook in hooks:
        hook.remove()
    weights = kept["gradients"].mean(dim=(2, 3), keepdim=True)
    heat = (weights * kept["maps"]).sum(dim=1)[0].relu().detach()
    return heat / heat.max().clamp(min=1e-12)
