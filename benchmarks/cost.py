"""What heat maps cost: Grad-CAM relative to forward passes, and memory over a thousand images.

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
from twincam.models.network import Network
from twincam.models.runtimes import compiled

ROUNDS, IMAGES = 30, 1000
QUICK = [method for method in METHODS if method not in ("integrated_gradients", "occlusion")]


def seconds(call: Callable[[], object]) -> float:
    """Return how long a call takes."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def main() -> None:
    """Print the cost of Grad-CAM relative to forward passes, and the growth of memory by method."""
    run = read_params(Path("params.yaml"), Params).run
    make_torch_deterministic(0, "cost", threads=run.threads)
    network = read_classifier(Path("models/classifier.safetensors"))
    images = np.array(read_array(Path("data/images.npy"))[:BATCH])
    print_gradcam(network, compiled(network, run), images)
    print_memory(network, images)


def print_gradcam(network: Network, fast: Network, images: np.ndarray) -> None:
    """Print what Grad-CAM in closed form takes with torch and compiled, each call in turn."""
    weight = network.head.weight.detach().numpy()

    def explain(by: Network) -> None:
        found = embed_batch(by, images)
        margin_maps(found.maps, weight, found.logits)

    calls: dict[str, Callable[[], object]] = {
        "forward, torch": lambda: embed_batch(network, images),
        "Grad-CAM, torch": lambda: explain(network),
        "forward, compiled": lambda: embed_batch(fast, images),
        "Grad-CAM, compiled": lambda: explain(fast),
    }
    for call in calls.values():
        call()
    rounds = [[seconds(call) for call in calls.values()] for _ in range(ROUNDS)]
    times = dict(zip(calls, np.array(rounds).T, strict=True))
    for name, taken in times.items():
        print(f"{name}: {np.median(taken) / len(images) * 1e3:.2f} ms an image")
    for name, other in (
        ("Grad-CAM, compiled", "forward, compiled"),
        ("forward, torch", "forward, compiled"),
        ("Grad-CAM, torch", "Grad-CAM, compiled"),
    ):
        low, median, high = np.quantile(times[name] / times[other], (0.25, 0.5, 0.75))
        print(f"{name} over {other}: {median:.3f} (quartiles {low:.3f}, {high:.3f})", flush=True)


def print_memory(network: Network, images: np.ndarray) -> None:
    """Print how much memory each method keeps over `IMAGES` images, and the hooks it leaves."""
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
