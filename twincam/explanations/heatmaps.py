"""Heat maps of the margin by every available method, computed by the methods' own libraries.

At the feature maps that the head reads Grad-CAM is a weighted sum (`twincam.explanations.gradcam`);
elsewhere, and for the other methods, Captum and pytorch-grad-cam do the work. Every map keeps its
own resolution, and its sign where the method has one. `METHODS` lists them: to add a method, add an
entry. Importing this loads no torch.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from twincam.statistics.margins import margin_classes

if TYPE_CHECKING:
    from torch import Tensor, nn

    from twincam.models.network import Logits, Network

Method = Callable[["Logits", "nn.Module", "Tensor", "Tensor"], np.ndarray]
"""The whole model, one of its layers, normalised images ``[B,3,S,S]`` and the two classes of each
image's margin, int64 ``[B,2]``, to maps ``[B,h,w]``."""

STEPS = 32
"""Number of steps of integrated gradients."""


def heat_maps(
    network: "Network", images: np.ndarray, logits: np.ndarray, method: str, layer: int
) -> np.ndarray:
    """Return the maps ``[N,h,w]`` (float32) of each image's margin by ``method``.

    The margin is that of ``logits``: between the class predicted there and its runner-up.

    Args:
        network: in evaluation mode, on `twincam.models.network.device`; unchanged.
        images: bytes ``[N,S,S,3]``, N at least 1.
        logits: ``[N,K]`` of the same images.
        method: a key of `METHODS`. Integrated gradients sum over squares of 8 pixels at 224,
            occlusion slides a square of 32 pixels in steps of 16; both attribute to pixels.
            ``fused`` uses two layers of its own.
        layer: the block whose output the other methods use, from 0.
    """
    from twincam.models.network import Logits

    model = Logits(network)
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    draw = METHODS[method]
    try:
        for weight in trained:
            weight.requires_grad_(False)
        maps = [
            draw(model, network.blocks[layer], pixels, pair)
            for pixels, pair in _with_margins(network, images, logits)
        ]
    finally:
        for weight in trained:
            weight.requires_grad_(True)
    return np.concatenate(maps).astype(np.float32)


def _with_margins(
    network: "Network", images: np.ndarray, logits: np.ndarray
) -> Iterator[tuple["Tensor", "Tensor"]]:
    """Yield batches of normalised images and of predicted class and runner-up, int64 ``[B,2]``."""
    import torch

    from twincam.models.forward import BATCH, batches
    from twincam.models.network import device_of, normalise

    pairs = np.stack(margin_classes(logits), axis=1)
    for part in batches(len(images), BATCH):
        pixels = torch.from_numpy(np.array(images[part])).to(device_of(network))
        yield normalise(network, pixels), torch.from_numpy(pairs[part]).to(device_of(network))


def _margins(model: "nn.Module") -> Callable[["Tensor", "Tensor"], "Tensor"]:
    """Return the function of images and class pairs ``[B,2]`` that attribution explains."""

    def margin(pixels: "Tensor", pairs: "Tensor") -> "Tensor":
        logits = model(pixels).gather(1, pairs)
        return logits[:, 0] - logits[:, 1]

    return margin


def _gradcam(model: "Logits", layer: "nn.Module", pixels: "Tensor", pairs: "Tensor") -> np.ndarray:
    """Selvaraju et al., ICCV 2017."""
    from captum.attr import LayerGradCam

    method = LayerGradCam(_margins(model), layer)
    maps = method.attribute(
        pixels.requires_grad_(), additional_forward_args=pairs, relu_attributions=False
    )
    return np.asarray(maps.detach()[:, 0].cpu().numpy())


def _pytorch_grad_cam(name: str) -> Method:
    """Return the method of that name, without its library's rectification and scaling."""

    def draw(model: "Logits", layer: "nn.Module", pixels: "Tensor", pairs: "Tensor") -> np.ndarray:
        import pytorch_grad_cam

        targets = [lambda logits, p=pair: logits[p[0]] - logits[p[1]] for pair in pairs]
        with getattr(pytorch_grad_cam, name)(model, [layer]) as method:
            method(pixels.requires_grad_(), targets)
            inside = method.activations_and_grads
            activations, gradients = (
                found[0].detach().cpu().numpy() if found else None
                for found in (inside.activations, inside.gradients)
            )
            maps: np.ndarray = method.get_cam_image(
                pixels, layer, targets, activations, gradients, eigen_smooth=False
            )
        return maps

    return draw


def _integrated_gradients(
    model: "Logits", _layer: "nn.Module", pixels: "Tensor", pairs: "Tensor"
) -> np.ndarray:
    """Sundararajan et al., ICML 2017, from the image's mean colour: sums to the change from it."""
    from captum.attr import IntegratedGradients
    from torch.nn.functional import avg_pool2d

    from twincam.models.forward import BATCH

    found = IntegratedGradients(_margins(model)).attribute(
        pixels,
        baselines=pixels.mean(dim=(2, 3), keepdim=True).expand_as(pixels),
        additional_forward_args=pairs,
        n_steps=STEPS,
        internal_batch_size=BATCH,
    )
    side = max(1, round(8 * pixels.shape[-1] / 224))
    summed = avg_pool2d(found.sum(1, keepdim=True), side, divisor_override=1)
    return np.asarray(summed.detach()[:, 0].cpu().numpy())


def _occlusion(
    model: "Logits", _layer: "nn.Module", pixels: "Tensor", pairs: "Tensor"
) -> np.ndarray:
    """Zeiler & Fergus, ECCV 2014, by a square of the image's mean colour."""
    import torch
    from captum.attr import Occlusion
    from torch.nn.functional import avg_pool2d

    step = max(1, round(16 * pixels.shape[-1] / 224))
    with torch.no_grad():
        found = Occlusion(_margins(model)).attribute(
            pixels,
            sliding_window_shapes=(pixels.shape[1], 2 * step, 2 * step),
            strides=(pixels.shape[1], step, step),
            baselines=pixels.mean(dim=(2, 3), keepdim=True).expand_as(pixels),
            additional_forward_args=pairs,
        )
    return np.asarray(avg_pool2d(found.mean(1, keepdim=True), step)[:, 0].cpu().numpy())


def _fused(model: "Logits", _layer: "nn.Module", pixels: "Tensor", pairs: "Tensor") -> np.ndarray:
    """Return the agreement of two depths: the last block's evidence at an earlier one's resolution.

    Grad-CAM after the last block times HiResCAM (Draelos & Carin, 2020) after the deepest block
    whose maps are finer, each without its negative part.
    """
    import torch
    from torch.nn.functional import interpolate

    blocks = list(model.maps.blocks)
    coarse = np.maximum(_gradcam(model, blocks[-1], pixels, pairs), 0)
    finer = blocks[_deepest_finer(blocks, pixels)]
    fine = np.maximum(_pytorch_grad_cam("HiResCAM")(model, finer, pixels, pairs), 0)
    large = interpolate(torch.from_numpy(coarse)[:, None], fine.shape[1:], mode="bicubic")
    return np.asarray(large.clamp(min=0)[:, 0].numpy() * fine)


def _deepest_finer(blocks: "list[nn.Module]", pixels: "Tensor") -> int:
    """Return the last of ``blocks`` whose maps have more cells than the network's last maps."""
    import torch

    sizes, maps = [], pixels[:1]
    with torch.no_grad():
        for block in blocks:
            maps = block(maps)
            sizes.append(maps.shape[-1])
    return max((k for k, size in enumerate(sizes) if size > sizes[-1]), default=len(sizes) - 1)


METHODS: dict[str, Method] = {
    "gradcam": _gradcam,
    "xgradcam": _pytorch_grad_cam("XGradCAM"),
    "gradcam++": _pytorch_grad_cam("GradCAMPlusPlus"),
    "layercam": _pytorch_grad_cam("LayerCAM"),
    "hirescam": _pytorch_grad_cam("HiResCAM"),
    "eigencam": _pytorch_grad_cam("EigenCAM"),
    "fused": _fused,
    "integrated_gradients": _integrated_gradients,
    "occlusion": _occlusion,
}
"""Every method by its name in ``explain.methods``."""
