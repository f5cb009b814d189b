"""What Ray costs and a second worker brings: `embed` in this process, by one worker and by two.

Used as ``python -m benchmarks.ray_scaling [FOLDER]``, with the model and the images of the working
tree's run. Every worker has one thread; each round starts Ray anew, and times what follows a first
pass. With a FOLDER of photographs, it also prints what reading one costs in `split`, `prepare` and
`stability`; and what two searches over all images cost, which are not divided among workers.
"""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import ray

from stages.embed.inference import embed
from stages.stability.pictures import read_deliveries
from twincam.determinism import Run
from twincam.images.decoding import decode
from twincam.images.params import Prepare
from twincam.images.reading import read_image
from twincam.models.runtimes import Source, opened
from twincam.near_duplicates.hashes import perceptual_hash
from twincam.near_duplicates.pairs import near_pairs

ROUNDS = 5
HASHES, QUERIES, REFERENCES = 40_000, 1_000, 100_000
LOCAL = Run(engine="local", threads=1, runtime="auto")
RAY = LOCAL.model_copy(update={"engine": "ray"})


def seconds(source: Source, count: int) -> float:
    """Return how long the second of two passes over ``count`` images takes."""
    for _ in range(2):
        started = time.perf_counter()
        embed(source, np.zeros(count, bool))
    return time.perf_counter() - started


def seconds_on_ray(source: Source, count: int, workers: int) -> float:
    """Return the same on a cluster of this machine alone with so many processors."""
    ray.init("local", num_cpus=workers, include_dashboard=False, log_to_driver=False)
    try:
        return seconds(source, count)
    finally:
        ray.shutdown()


def print_reading(folder: Path) -> None:
    """Print the processor time that stages take to read each file in ``folder``."""
    settings = Prepare(image_size=224, harmonise=True, jpeg_quality=85)
    files = sorted(folder.iterdir())
    size = np.mean([file.stat().st_size for file in files]) / 1e3
    calls: dict[str, Callable[[Path], object]] = {
        "split": lambda file: perceptual_hash(decode(file, at_least=128).image),
        "prepare": lambda file: read_image(file, settings),
        "stability": lambda file: read_deliveries(file, settings, max_pixels=10**8),
    }
    for name, call in calls.items():
        started = time.process_time()
        for file in files:
            call(file)
        taken = (time.process_time() - started) / len(files) * 1e3
        print(f"{name}: {taken:.1f} ms an image (n = {len(files)}, {size:.0f} kB each)")


def print_searches() -> None:
    """Print the processor time of a search for near duplicates and of one for neighbours."""
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 2**63, HASHES, dtype=np.uint64)
    queries, features = (rng.random((n, 1280), dtype=np.float32) for n in (QUERIES, REFERENCES))
    started = time.process_time()
    for _ in near_pairs(hashes, distance=10, first_new=0):
        pass
    pairs = time.process_time()
    np.argpartition(queries @ features.T, -5, axis=1)
    ended = time.process_time()
    print(f"pairs of {HASHES} hashes: {pairs - started:.1f} s")
    print(f"neighbours of {QUERIES} images in {REFERENCES}: {ended - pairs:.1f} s", flush=True)


def print_scaling() -> None:
    """Print the milliseconds an image, and the ratios with their quartiles over the rounds."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    here = Source(Path("models/classifier.safetensors"), Path("data/prepared/images"), LOCAL)
    there, count = here._replace(run=RAY), len(opened(here)[1])
    rounds = [
        (seconds(here, count), *(seconds_on_ray(there, count, workers) for workers in (1, 2)))
        for _ in range(ROUNDS)
    ]
    local, one, two = np.array(rounds).T
    for name, taken in (("this process", local), ("one worker", one), ("two workers", two)):
        print(f"{name}: {np.median(taken) / count * 1e3:.2f} ms an image (n = {count})")
    for name, ratio in (
        ("one worker over this process", one / local),
        ("one over two workers", one / two),
    ):
        low, median, high = np.quantile(ratio, (0.25, 0.5, 0.75))
        print(f"{name}: {median:.2f} (quartiles {low:.2f}, {high:.2f}; {ROUNDS} rounds)")


if __name__ == "__main__":
    for name in sys.argv[1:]:
        print_reading(Path(name))
    print_searches()
    print_scaling()
