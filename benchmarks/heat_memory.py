"""How much memory each heat-map method keeps over a thousand images, and the hooks it leaves.

Used as ``python -m benchmarks.heat_memory``, with the model and the images of the working tree's
run.
"""

import resource
from pathlib import Path

import numpy as np
import psutil

from stages.embed.params import Params
from twincam.determinism import make_torch_deterministic
from twincam.explanations.heatmaps import METHODS, heat_maps
from twincam.files.params_file import read_params
from twincam.files.shards import read_shards
from twincam.models.classifier import read_classifier
from twincam.models.forward import BATCH, embed_batch
from twincam.models.network import Network

IMAGES = 1000
QUICK = [method for method in METHODS if method not in ("integrated_gradients", "occlusion")]


def main() -> None:
    """Print the growth of memory by method, and the peak."""
    run = read_params(Path("params.yaml"), Params).run
    make_torch_deterministic(0, "heat memory", threads=run.threads)
    network = read_classifier(Path("models/classifier.safetensors"))
    print_memory(network, read_shards(Path("data/prepared/images"))[:BATCH])


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
