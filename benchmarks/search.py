"""Nearest neighbours and near duplicates at scale, beside libraries: time, memory and recall.

``python -m benchmarks.search``, with ``--references`` (default 100,000 and 1,000,000) and
``--hashes`` (10,000, 100,000 and 1,000,000). Vectors are memory-mapped from a temporary file, 5 GB
a million. Every row is a process of its own, and the rows of one table take turns. Peak memory is
that of the process, in the table of vectors without the pages of the mapped file.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread
from typing import Any

import faiss
import numpy as np
import psutil
from sklearn.neighbors import NearestNeighbors

from twincam.explanations.twins.neighbours import (
    PROBED,
    REFERENCES,
    Positions,
    nearest_between,
    nearest_in_lists,
)
from twincam.near_duplicates.pairs import near_pairs

QUERIES, WIDTH, K = 1000, 1280, 5
CLUSTERS = 2000
"""Of the vectors: features of images are not spread evenly either."""

CLUSTER_SIZE, FLIPPED = 100, 4
"""Of the clustered hashes: how many vary one, and the bits in which they may differ from it."""

DISTANCE = 10


def main() -> None:
    """Print both tables, or run the one row named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--references", type=int, nargs="*", default=[100_000, 1_000_000])
    parser.add_argument("--hashes", type=int, nargs="*", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--row", nargs=3, metavar=("KIND", "NAME", "INPUT"))
    args = parser.parse_args()
    if args.row:
        kind, name, given = args.row
        found = SEARCHES[name](Path(given)) if kind == "neighbours" else hash_row(name, int(given))
        print(json.dumps(found))
        return
    for count in args.references:
        print_neighbours(count, args.rounds)
    if args.hashes:
        print_near_pairs(args.hashes)


def print_near_pairs(counts: list[int]) -> None:
    """Print time and memory of the search for near pairs among so many hashes."""
    print("\n| hashes | | pairs | seconds | peak MB |\n|---|---|---|---|---|")
    for count in counts:
        for name in ("random", "clustered"):
            row = measured("hashes", name, str(count))
            cells = (f"{row['pairs']:,}", f"{row['seconds']:.1f}", f"{row['peak']:.0f}")
            print(f"| {count:,} | {name} | {' | '.join(cells)} |", flush=True)


def measured(*row: str) -> dict[str, Any]:
    """Return what a row measures in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.search", "--row", *row]
    return dict(json.loads(subprocess.run(command, check=True, capture_output=True).stdout))


def print_neighbours(count: int, turns: int) -> None:
    """Print time relative to faiss, recall and memory of each search among ``count`` vectors."""
    with tempfile.TemporaryDirectory() as folder:
        write_vectors(Path(folder), count)
        rounds = [
            {name: measured("neighbours", name, folder) for name in SEARCHES} for _ in range(turns)
        ]
    print(f"\n| {QUERIES:,} × {count:,} × {WIDTH} | seconds | over faiss | recall@{K} | peak MB |")
    print("|---|---|---|---|---|")
    for name in SEARCHES:
        seconds = [one[name]["seconds"] for one in rounds]
        ratios = [one[name]["seconds"] / one["faiss flat"]["seconds"] for one in rounds]
        true = {(q, t) for q, row in enumerate(rounds[0]["faiss flat"]["found"]) for t in row}
        found = {(q, t) for q, row in enumerate(rounds[0][name]["found"]) for t in row}
        recall = f"{len(true & found) / len(true):.3f}" if found else ""
        peak = max(one[name]["peak"] for one in rounds)
        time_cells = f"{np.median(seconds):.2f} | {np.median(ratios):.2f}"
        print(f"| {name} | {time_cells} | {recall} | {peak:.0f} |", flush=True)


def write_vectors(folder: Path, count: int) -> None:
    """Write unit vectors of `CLUSTERS` clusters, references and queries, into ``folder``."""
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((CLUSTERS, WIDTH), np.float32)
    for name, rows in (("references", count), ("queries", QUERIES)):
        path = folder / f"{name}.npy"
        made = np.lib.format.open_memmap(path, "w+", np.float32, (rows, WIDTH))
        for start in range(0, rows, REFERENCES):
            part = made[start : start + REFERENCES]
            part[:] = rng.standard_normal(part.shape, np.float32)
            part += centres[rng.integers(0, CLUSTERS, len(part))]
            part /= np.linalg.norm(part, axis=1, keepdims=True)


def vectors(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return queries and references, memory-mapped."""
    queries, references = (
        np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("queries", "references")
    )
    return np.array(queries), references


def timed(call: Callable[[], Any]) -> dict[str, Any]:
    """Return how long ``call`` takes, the positions it finds, and the peak of memory in MB."""
    done, peak = Event(), [0.0]

    def watch() -> None:
        while not done.wait(0.02):
            memory = psutil.Process().memory_info()
            peak[0] = max(peak[0], (memory.rss - memory.shared) / 2**20)

    watcher = Thread(target=watch)
    watcher.start()
    started = time.perf_counter()
    found = call()
    taken = time.perf_counter() - started
    done.set()
    watcher.join()
    found = [] if found is None else np.asarray(found).tolist()
    return {"seconds": taken, "found": found, "peak": peak[0]}


def bare_product(folder: Path) -> dict[str, Any]:
    """Multiply blocks and forget the products."""
    queries, references = vectors(folder)

    def call() -> None:
        for start in range(0, len(references), REFERENCES):
            queries @ references[start : start + REFERENCES].T

    return timed(call)


def ours(folder: Path) -> dict[str, Any]:
    """Search exactly, a block at a time."""
    queries, references = vectors(folder)

    def compare(rows: Positions, columns: Positions) -> np.ndarray:
        return np.asarray(queries[rows] @ references[columns].T)

    rows, columns = np.arange(len(queries)), np.arange(len(references))
    return timed(lambda: nearest_between(compare, rows, columns, K)[0])


def ours_in_lists(folder: Path) -> dict[str, Any]:
    """Search in lists, which are built first."""
    queries, references = vectors(folder)

    def compare(rows: Positions, columns: Positions) -> np.ndarray:
        return np.asarray(queries[rows] @ references[columns].T)

    def among(rows: Positions, columns: Positions) -> np.ndarray:
        return np.asarray(references[rows] @ references[columns].T)

    rows, columns = np.arange(len(queries)), np.arange(len(references))
    return timed(lambda: nearest_in_lists(compare, among, rows, columns, K)[0])


def faiss_flat(folder: Path) -> dict[str, Any]:
    """Fill a flat index, and search it."""
    queries, references = vectors(folder)

    def call() -> np.ndarray:
        index = faiss.IndexFlatIP(WIDTH)
        index.add(references)
        return np.asarray(index.search(queries, K)[1])

    return timed(call)


def faiss_lists(folder: Path) -> dict[str, Any]:
    """Train and fill an inverted file of as many lists as ours, and search as many of them."""
    queries, references = vectors(folder)

    def call() -> np.ndarray:
        quantizer = faiss.IndexFlatIP(WIDTH)
        lists = round(len(references) ** 0.5)
        index = faiss.IndexIVFFlat(quantizer, WIDTH, lists, faiss.METRIC_INNER_PRODUCT)
        index.train(references[:: max(len(references) // (40 * lists), 1)])
        index.add(references)
        index.nprobe = PROBED
        return np.asarray(index.search(queries, K)[1])

    return timed(call)


def scikit_learn(folder: Path) -> dict[str, Any]:
    """Fit and ask scikit-learn's brute force; of unit vectors, Euclid's order is the cosine's."""
    queries, references = vectors(folder)

    def call() -> np.ndarray:
        fitted = NearestNeighbors(n_neighbors=K, algorithm="brute").fit(references)
        return np.asarray(fitted.kneighbors(queries, return_distance=False))

    return timed(call)


SEARCHES: dict[str, Callable[[Path], dict[str, Any]]] = {
    "bare matrix product": bare_product,
    "ours": ours,
    "faiss flat": faiss_flat,
    "scikit-learn": scikit_learn,
    "ours, in lists": ours_in_lists,
    "faiss, in lists": faiss_lists,
}


def hash_row(name: str, count: int) -> dict[str, Any]:
    """Find the near pairs of ``count`` hashes, ``random`` or ``clustered``."""
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 2**64 - 1, count, dtype=np.uint64)
    if name == "clustered":
        hashes = hashes[rng.integers(0, count // CLUSTER_SIZE, count)]
        for _ in range(FLIPPED):
            hashes ^= np.uint64(1) << rng.integers(0, 64, count, dtype=np.uint64)
    started = time.perf_counter()
    pairs = sum(len(block) for block in near_pairs(hashes, DISTANCE))
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": seconds, "pairs": pairs, "peak": peak}


if __name__ == "__main__":
    main()
