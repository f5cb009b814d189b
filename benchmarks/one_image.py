"""What one explanation costs: cold start, each further picture, a folder, memory, the pack's size.

Used as ``python -m benchmarks.one_image DATA`` with the working tree's run; DATA is a folder with
``oxford-cats`` and ``cats-sd``. On a shared
machine elapsed seconds say little; processor seconds, beside them, hardly change.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
from PIL import Image

from twincam.deliveries import deliver
from twincam.explainer.explaining import (
    FOLDER,
    Named,
    explain_each,
    explain_single,
    networks_in,
    pack_in,
    processors,
)
from twincam.explainer.inference import embed_deliveries, inputs_of
from twincam.explainer.pictures import open_picture
from twincam.explainer.text import headline_of
from twincam.explanations.twins.neighbours import nearest
from twincam.explanations.twins.spaces import similarity
from twincam.files.tables import EVALUATED_SPLITS, read_split
from twincam.models.embedded import Embedded, at, joined

REPEATS = 15

ASKED = 100
"""Pictures of each source that are compared with the training images."""

SPACES_COMPARED = ("features_cosine", "features_euclidean", "contributions_margin")

MANY = 1000
"""Pictures in the folder."""

FORWARD = """
import time
from twincam.explainer.explaining import FOLDER, networks_in, pack_in, processors
from twincam.explainer.inference import embed_deliveries
import numpy as np
pack, networks = pack_in(FOLDER), networks_in(FOLDER, processors())
side = pack.settings.preprocessing.image_size
inputs = np.zeros((8, 3, side, side), np.float32)
embed_deliveries(networks, inputs, pack)
times = []
for _ in range(9):
    started = time.perf_counter()
    embed_deliveries(networks, inputs, pack)
    times.append(time.perf_counter() - started)
print(min(times))
"""

PEAK = """
import sys, twincam
print(twincam.explain(sys.argv[1]).statement)
with open("/proc/self/status") as file:
    print(next(int(line.split()[1]) * 1024 / 1e6 for line in file if line.startswith("VmHWM")))
"""


def main() -> None:
    """Print the tables of docs/results/one-image.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    data = parser.parse_args().data
    photographs = sorted((data / "oxford-cats/images").glob("*.jpg"))
    fakes = sorted((data / "cats-sd/fake").glob("*.png"))
    size = sum(file.stat().st_size for file in FOLDER.iterdir()) / 1e6
    print(f"pack: {size:.1f} MB; load average {os.getloadavg()[0]:.1f}\n")
    print_cold_start(photographs[0])
    print_further(photographs)
    print_folder(photographs, fakes)
    print_novelty({"`oxford-cats`": photographs, "`cats-sd`": fakes})
    with tempfile.TemporaryDirectory() as folder:
        print_memory(Path(folder))
        print_verdicts([photographs[0], fakes[0], *others(Path(folder))])


def print_cold_start(picture: Path) -> None:
    """Print how long the command takes beside ``import onnxruntime`` and a forward pass."""
    whole = [sys.executable, "-m", "twincam", "explain", str(picture)]
    bare = [sys.executable, "-c", "import onnxruntime"]
    forward = float(_output([sys.executable, "-c", FORWARD]))
    found = {"explain": whole, "import onnxruntime": bare}
    costs: dict[str, list[tuple[float, float]]] = {name: [] for name in found}
    for _ in range(REPEATS):
        for name, command in found.items():
            costs[name].append(_cost(partial(_output, command)))
    elapsed = {name: min(wall for wall, _ in each) for name, each in costs.items()}
    busy = {name: min(cpu for _, cpu in each) for name, each in costs.items()}
    for name in found:
        print(f"{name}: {elapsed[name]:.3f} s, {busy[name]:.3f} processor seconds")
    allowed = 3 * elapsed["import onnxruntime"] + forward
    print(f"a forward pass of the deliveries: {forward:.3f} s; allowed: {allowed:.3f} s\n")


def print_further(pictures: Sequence[Path]) -> None:
    """Print how long each further picture takes, with its deliveries."""
    explain_single(Named("first", pictures[0]), FOLDER)
    costs = [_cost(partial(explain_single, Named("", one), FOLDER)) for one in pictures[:40]]
    wall, cpu = (sorted(part) for part in zip(*costs, strict=True))
    print(
        f"each further photograph, n = {len(costs)}: median {1e3 * median(wall):.0f} ms, the "
        f"slowest {1e3 * wall[-1]:.0f} ms; {1e3 * median(cpu):.0f} processor ms\n"
    )


def print_folder(photographs: Sequence[Path], fakes: Sequence[Path]) -> None:
    """Print how many pictures of a folder are explained in a second."""
    files = [*photographs, *fakes]
    named = [Named(str(n), files[n % len(files)]) for n in range(MANY)]
    wall, cpu = _cost(lambda: list(map(type, explain_each(named, FOLDER))))
    each = 1e3 * cpu / MANY
    print(f"a folder of {MANY}: {MANY / wall:.1f} a second, {each:.0f} processor ms each\n")


def print_novelty(sources: Mapping[str, Sequence[Path]]) -> None:
    """Print, by space, how many pictures are further from training than all training images are."""
    pack, networks = pack_in(FOLDER), networks_in(FOLDER, processors())
    split = read_split(Path("data/split.csv"))
    own = split["split"].isin(EVALUATED_SPLITS).to_numpy()
    names = ("features", "logits")
    features, logits = (np.load(f"data/embeddings/{name}.npy")[own] for name in names)
    groups = {"evaluated": Embedded((), features, logits, pack.training.embedded.finer)}
    for name, files in sources.items():
        opened = (open_picture(one, pack.settings.preprocessing) for one in files[:ASKED])
        squares = (deliver(one, pack.settings.preprocessing) for one in opened)
        found = [
            at(embed_deliveries(networks, inputs_of(one, pack.settings), pack), slice(0, 1))
            for one in squares
        ]
        groups[name] = joined(found, len(found))
    for space in SPACES_COMPARED:
        known = pack.training.embedded
        others = ~np.eye(len(known.logits), dtype=bool)
        furthest = nearest(similarity(space, known, known, pack.head.weight), 1, others)[1].min()
        for name, group in groups.items():
            unlike = similarity(space, group, known, pack.head.weight).max(axis=1) < furthest
            print(f"| `{space}` | {name} | {unlike.sum()} of {len(unlike)} |")
    print()


def print_memory(folder: Path) -> None:
    """Print the peak memory with 50 megapixels, in several forms."""
    rng = np.random.default_rng(0)
    grain = rng.integers(0, 256, (577, 866, 3), dtype=np.uint8)
    large = Image.fromarray(grain).resize((8660, 5774), Image.Resampling.BICUBIC)
    alpha = large.convert("RGBA")
    deep = np.asarray(large.convert("L")).astype(np.uint16) * 257
    forms: dict[str, Callable[[Path], object]] = {
        "large.jpg": lambda path: large.save(path, quality=90),
        "large.png": lambda path: large.save(path, compress_level=1),
        "transparent.png": lambda path: alpha.save(path, compress_level=1),
        "deep.png": lambda path: Image.fromarray(deep).save(path, compress_level=1),
    }
    for name, write in forms.items():
        write(folder / name)
        *_, peak = _output([sys.executable, "-c", PEAK, str(folder / name)]).split()
        print(f"{name}, 50 megapixels: peak {float(peak):.0f} MB")
    print()


def others(folder: Path) -> list[Path]:
    """Return pictures of something else: a drawing of stripes, and noise."""
    stripes = np.tile(np.arange(256, dtype=np.uint8) // 16 % 2 * 255, (256, 1))
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    for name, array in (("stripes.png", stripes), ("noise.png", noise)):
        Image.fromarray(array).save(folder / name)
    return [folder / "stripes.png", folder / "noise.png"]


def print_verdicts(pictures: Sequence[Path]) -> None:
    """Print the verdict on each picture."""
    for one in pictures:
        record = explain_single(Named(one.name, one), FOLDER).record
        novelty = record["verdict"]["novelty"]
        assert novelty is not None
        print(f"| {one.name} | {headline_of(record)} | {novelty['quantile']:.3f} |")


def _output(command: Sequence[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _cost(call: Callable[[], object]) -> tuple[float, float]:
    """Return the elapsed and the processor seconds of ``call``, those of its children included."""
    started, before = time.perf_counter(), _processor_seconds()
    call()
    return time.perf_counter() - started, _processor_seconds() - before


def _processor_seconds() -> float:
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    used = [resource.getrusage(kind) for kind in kinds]
    return sum(one.ru_utime + one.ru_stime for one in used)


if __name__ == "__main__":
    main()
