"""Deletion and insertion of pixels in the order of a heat map, and average drop.

Every way removes an eighth of the pixels at a step, Quantus a twelfth. Each makes another number of
forward passes: ours removes and inserts for two baselines, torchcam for one, Quantus only removes.
So the time is for an image and a pass, those for the heat map included where the way computes it.
"""

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec

import numpy as np
import torch
from torch import Tensor
from torchcam.methods import GradCAM
from torchcam.metrics import ClassificationMetric, DeletionInsertionMetric

from benchmarks.peers.networks import last_layer, network_of
from benchmarks.peers.timing import in_turn, print_times
from stages.faithfulness.measures import (
    BASELINES,
    FRACTIONS,
    Subject,
    classify_with,
    kept_probabilities,
    margin_curves,
    subject_of,
)
from stages.faithfulness.orders import pixel_ranks
from twincam.determinism import Run
from twincam.explanations.gradcam import margin_maps
from twincam.models.embedded import Embedded
from twincam.models.forward import embed_batch, to_inputs
from twincam.models.network import Network
from twincam.models.runtimes import compiled
from twincam.statistics.margins import margin_classes, margins

STEPS = len(FRACTIONS) - 1
ROUNDS = 3
QUANTUS_STEPS = 12


def print_deletion(images: np.ndarray, run: Run) -> None:
    """Print what each way takes for a forward pass of an image, with the default network.

    Args:
        images: bytes ``[B,S,S,3]``.
        run: threads and runtime.
    """
    network = network_of("efficientnet_lite0")
    fast, inputs = compiled(network, run), to_inputs(network, images)
    seen = embed_batch(network, images)
    ours = len(BASELINES) * (2 * (STEPS - 1) + 1)
    ways: dict[str, tuple[int, Callable[[], object]]] = {
        "forward, compiled": (1, lambda: embed_batch(fast, images)),
        "forward, torch": (1, lambda: embed_batch(network, images)),
        "TwinCAM, compiled": (ours, lambda: curves(fast, inputs, seen)),
        "TwinCAM, torch": (ours, lambda: curves(network, inputs, seen)),
        "torchcam": (2 * STEPS, lambda: torchcams(network, inputs)),
        "average drop, TwinCAM, compiled": (2, lambda: drop(fast, images, inputs)),
        "average drop, TwinCAM, torch": (2, lambda: drop(network, images, inputs)),
        "average drop, torchcam": (2, lambda: torchcams_drop(network, inputs)),
    }
    if find_spec("quantus"):
        ways["Quantus, deletion"] = (QUANTUS_STEPS, lambda: pixel_flipping(network, inputs, seen))
    times = in_turn({name: call for name, (_, call) in ways.items()}, ROUNDS)
    each = {name: taken / ways[name][0] for name, taken in times.items()}
    print_times("deletion and insertion", each, "forward, compiled", len(images), "an image, pass")
    print("\nPasses: " + "; ".join(f"{name} {passes}" for name, (passes, _) in ways.items()))


def curves(network: Network, inputs: Tensor, seen: Embedded) -> np.ndarray:
    """Return our margins ``[baseline, kind, fraction, B]``; heat and logits are known."""
    heat = margin_maps(seen.maps, network.head.weight.detach().numpy(), seen.logits)
    classify = classify_with(network)
    subject = subject_of(classify, inputs, seen.logits, np.arange(len(inputs)), 0)
    ranks = pixel_ranks(heat, np.zeros_like(heat), inputs.shape[-1])
    return margin_curves(classify, subject, ranks)


def torchcams(network: Network, inputs: Tensor) -> dict[str, float]:
    """Return torchcam's mean areas under the curves."""
    with GradCAM(network.module, last_layer(network)) as method:
        metric = DeletionInsertionMetric(method, steps=STEPS)
        metric.update(inputs)
        return metric.summary()


def pixel_flipping(network: Network, inputs: Tensor, seen: Embedded) -> object:
    """Return Quantus' curves: a feature is one channel of a pixel, deleted without the others."""
    quantus = import_module("quantus")
    heat = margin_maps(seen.maps, network.head.weight.detach().numpy(), seen.logits)
    large = torch.nn.functional.interpolate(
        torch.from_numpy(heat)[:, None], inputs.shape[-2:], mode="bilinear"
    )
    pixels = inputs.contiguous().numpy()
    flip = quantus.PixelFlipping(
        features_in_step=pixels[0].size // QUANTUS_STEPS, disable_warnings=True
    )
    labels = seen.logits.argmax(axis=1)
    return flip(model=network.module, x_batch=pixels, y_batch=labels, a_batch=large.numpy())


def drop(network: Network, images: np.ndarray, inputs: Tensor) -> np.ndarray:
    """Return our probabilities ``[B]`` of each image times its map, which is computed, too."""
    seen = embed_batch(network, images)
    heat = margin_maps(seen.maps, network.head.weight.detach().numpy(), seen.logits)
    pairs = torch.from_numpy(np.stack(margin_classes(seen.logits), axis=1))
    subject = Subject(inputs, pairs, margins(seen.logits), {}, {}, torch.zeros(0))
    return kept_probabilities(classify_with(network), subject, heat)


def torchcams_drop(network: Network, inputs: Tensor) -> dict[str, float]:
    """Return torchcam's average drop and increase."""
    with GradCAM(network.module, last_layer(network)) as method:
        metric = ClassificationMetric(method, lambda logits: logits.softmax(dim=-1))
        metric.update(inputs)
        return metric.summary()
