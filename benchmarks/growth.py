"""What each stage costs as the collection grows, from `split` to the page.

Used as ``python -m benchmarks.growth data/cats-sd --work folder --images 300 3000 20000``: crops of
the photographs and fakes there stand for a larger collection. Prints Markdown tables and writes
``growth.png`` to the folder. Processor seconds are those of a stage's process, its threads and its
children: they are comparable where the machine has other work, seconds are not.
"""

import argparse
import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from benchmarks.peers.pipeline import empty_pipeline, repro, stage_count
from benchmarks.peers.timing import in_turn, print_times
from benchmarks.runs import ROOT, run
from twincam.files.profiling import FOLDER

SETTINGS = ("data.root=data/crops", "data.info=data/info", "run.threads=1")
SMALLEST, LARGEST = 96, 256
"""Sides of the crops, in pixels."""

ROUNDS = 5
COLOURS = 10
"""After which matplotlib's repeat."""

STARTING = 3.0
"""Processor seconds below which a stage mostly starts."""


def main() -> None:
    """Run each size and print its cost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="a folder per class")
    parser.add_argument("--work", type=Path, required=True, help="where the projects are put")
    parser.add_argument("--images", type=int, nargs="+", default=[300, 3000, 20000])
    parser.add_argument("--preset", default="quick")
    args = parser.parse_args()
    for count in args.images:
        folder = args.work / str(count)
        if not (folder / "reports" / "index.html").is_file():
            grow(args.data.resolve(), folder, count, args.preset)
    costs = {
        count: {
            file.stem: json.loads(file.read_text())
            for file in (args.work / str(count) / ".profile").glob("*.json")
        }
        for count in args.images
    }
    for name, title in (("cpu_seconds", "processor seconds"), ("peak_mb", "peak memory, MB")):
        print_costs(
            pd.DataFrame({n: {k: v[name] for k, v in c.items()} for n, c in costs.items()}), title
        )
    draw(costs).savefig(args.work / "growth.png", dpi=110)
    for count in args.images:
        print_idle(args.work / str(count), count)


def grow(data: Path, folder: Path, count: int, preset: str) -> None:
    """Run the pipeline with ``preset`` on ``count`` crops of ``data``, in a clone at ``folder``."""
    run(ROOT, "git", "clone", "--quiet", str(ROOT), str(folder))
    crop_images(data, folder / "data", count)
    run(folder, "dvc", "add", "data/crops", "data/info")
    run(folder, "twincam", "preset", preset)
    environment = os.environ | {FOLDER: str((folder / ".profile").resolve())}
    command = ["dvc", "exp", "run", *(f"--set-param={setting}" for setting in SETTINGS)]
    subprocess.run(command, cwd=folder, env=environment, check=True)


def crop_images(data: Path, folder: Path, count: int) -> None:
    """Write ``count`` square crops, as many of each class, to ``crops``; ``info`` groups them.

    All crops of one image are a group, so that none is in another split than the others.
    """
    rng, rows = np.random.default_rng(0), []
    classes = sorted(path for path in data.iterdir() if path.is_dir())
    for own in classes:
        files = sorted(path for path in own.rglob("*") if path.is_file())
        (folder / "crops" / own.name).mkdir(parents=True)
        for number in range(count // len(classes)):
            file = files[number % len(files)]
            with Image.open(file) as opened:
                image = opened.convert("RGB")
            side = int(rng.integers(SMALLEST, min(LARGEST, *image.size) + 1))
            left, top = (int(rng.integers(0, length - side + 1)) for length in image.size)
            path = f"{own.name}/{number:06}.jpg"
            crop = image.crop((left, top, left + side, top + side))
            crop.save(folder / "crops" / path, quality=90)
            rows.append({"path": path, "group": f"{own.name}-{file.stem}"})
    (folder / "info").mkdir()
    pd.DataFrame(rows).to_csv(folder / "info" / "manifest.csv", index=False)


def print_costs(table: pd.DataFrame, title: str) -> None:
    """Print a row a stage; the last column is the slope between the two largest, log over log."""
    table = table.sort_values(table.columns[-1], ascending=False)
    print(f"\n| {title} | {' | '.join(f'{count:,}' for count in table)} | slope |")
    print("|---" * (len(table.columns) + 2) + "|")
    for stage, costs in table.iterrows():
        cells = [f"{cost:.0f}" if cost >= 10 else f"{cost:.1f}" for cost in costs]
        print(f"| `{stage}` | {' | '.join(cells)} | {slope(costs)} |")


def slope(costs: pd.Series) -> str:
    """Return the exponent with which a cost grows between the two largest collections."""
    if len(costs) < 2 or costs.iloc[-1] < STARTING:
        return "–"
    (n, m), (a, b) = costs.index[-2:], costs.iloc[-2:]
    return f"{np.log(b / a) / np.log(m / n):.2f}"


def draw(costs: dict[int, dict[str, dict[str, float]]]) -> Figure:
    """Return the processor seconds and the peak memory of each stage by images, log over log."""
    figure = Figure(figsize=(11, 5), layout="constrained")
    panels = zip(
        figure.subplots(1, 2),
        (("cpu_seconds", "processor seconds"), ("peak_mb", "peak memory, MB")),
        strict=True,
    )
    for axes, (name, title) in panels:
        for number, stage in enumerate(sorted(set().union(*costs.values()))):
            points = [(n, found[stage][name]) for n, found in costs.items() if stage in found]
            style = ("o-", "s--")[number // COLOURS % 2]
            axes.loglog(*zip(*points, strict=True), style, markersize=4, label=stage)
        axes.set(xlabel="images", ylabel=title)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside right upper", fontsize=8)
    return figure


def print_idle(folder: Path, count: int) -> None:
    """Print the time of a `dvc repro` with nothing to do beside an empty pipeline's."""
    stages = stage_count(folder)
    empty = folder.parent / f"empty-{stages}"
    if not empty.exists():
        empty_pipeline(empty, stages)
    calls = {f"empty pipeline of {stages} stages": lambda: repro(empty)}
    calls["TwinCAM"] = lambda: repro(folder)
    title = f"`dvc repro`, nothing to do, {count:,} images"
    print_times(title, in_turn(calls, ROUNDS), next(iter(calls)))


if __name__ == "__main__":
    main()
