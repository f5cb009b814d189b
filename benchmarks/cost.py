"""What heat maps cost: the closed form relative to the forward pass, and memory over a thousand
images.

Used as ``python -m benchmarks.cost``, with the model and the images of the working tree's run.
"""

import resource
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil

from stages.embed.params import Params
from twincam.determinism import make_torch_deterministic
from twincam.explanations.gradcam import margin_maps
from twincam.explanations.heatmaps import METHODS, heat_maps
from twincam.files.arrays import read_array
from twincam.files.params_file import read_params
from twincam.models.classifier import read_classifier
from twincam.models.forward import BATCH, embed_batch

ROUNDS, IMAGES = 30, 1000
QUICK = [method for method in METHODS if method not in ("integrated_gradients", "occlusion")]


def seconds(call: Callable[[], object]) -> float:
    """Return how long a call takes."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def main() -> None:
    """Print the ratio of closed form and forward pass, and the growth of memory by method."""
    threads = read_params(Path("params.yaml"), Params).run.threads
    make_torch_deterministic(0, "cost", threads=threads)
    network = read_classifier(Path("models/classifier.safetensors"))
    images = np.array(read_array(Path("data/images.npy"))[:BATCH])
    weight = network.head.weight.detach().numpy()

    def explained() -> None:
        seen = embed_batch(network, images)
        margin_maps(seen.maps, weight, seen.logits)

    for call in (explained, explained):
        call()
    pairs = [
        (seconds(lambda: embed_batch(network, images)), seconds(explained)) for _ in range(ROUNDS)
    ]
    ratios = np.array([with_maps / alone for alone, with_maps in pairs])
    print(f"closed form over forward alone: median {np.median(ratios):.3f}, ", end="")
    print(
        f"quartiles {np.quantile(ratios, 0.25):.3f} and {np.quantile(ratios, 0.75):.3f}, ", end=""
    )
    print(f"{ROUNDS} pairs of {BATCH} images")

    logits, process = embed_batch(network, images).logits, psutil.Process()
    last = len(network.blocks) - 1
    for method in QUICK:
        for _ in range(4):
            heat_maps(network, images, logits, method, last - 3)
        before = process.memory_info().rss
        for _ in range(IMAGES // BATCH):
            heat_maps(network, images, logits, method, last - 3)
        grown = (process.memory_info().rss - before) / 1e6
        hooks = sum(
            len(m._forward_hooks) + len(m._backward_hooks) for m in network.module.modules()
        )
        print(f"{method}: {grown:+.0f} MB over {IMAGES} images, {hooks} hooks left", flush=True)
    print(f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:.0f} MB")


if __name__ == "__main__":
    main()
