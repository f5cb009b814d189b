"""What several sources of photographs bring: each source left out in turn.

Used as ``python -m benchmarks.sources path/to/data``, a folder with `cats-ddpm`, `cats-sd` and
`oxford-cats`: three sources of photographs and five generators in one collection. Every source is
recognised by a classifier that was trained without it.
"""

import argparse
import shutil
from pathlib import Path

import pandas as pd

from benchmarks.runs import clone, experiment, results, run, share

GENERATORS = ("sd15", "sdxlturbo", "openjourney4", "combined")
IMAGES, INFO = "data/sources", "data/sources-info"
METHODS = ("linear_probe", "fine_tune")


def main() -> None:
    """Print a Markdown table for each way to train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    with clone() as folder:
        lay_out(args.data, folder)
        run(folder, "dvc", "add", IMAGES, INFO)
        for method in args.methods:
            for seed in args.seeds:
                changes = {"data.root": IMAGES, "data.info": INFO, "train.method": method}
                changes |= {"leave_one_source_out.max_sources": 8, "run.threads": args.threads}
                experiment(folder, changes | {"seed": seed}, "leave_one_source_out")
                print_sources(folder, f"{method}, seed {seed}")


def lay_out(data: Path, folder: Path) -> None:
    """Copy the images to a folder per class, and name their sources in ``manifest.csv``."""
    rows = []
    for source, paths in sources(data).items():
        for label, path in paths:
            name = f"{label}/{source}-{path.parent.parent.name}-{path.name}"
            (folder / IMAGES / label).mkdir(parents=True, exist_ok=True)
            shutil.copy(path, folder / IMAGES / name)
            rows.append({"path": name, "source": source})
    (folder / INFO).mkdir()
    pd.DataFrame(rows).to_csv(folder / INFO / "manifest.csv", index=False)


def sources(data: Path) -> dict[str, list[tuple[str, Path]]]:
    """Return the images of each source with their classes."""
    found = {
        "photographs of cats-ddpm": [
            ("real", path) for path in sorted(data.glob("cats-ddpm/*/real/*"))
        ],
        "photographs of cats-sd": [("real", path) for path in sorted(data.glob("cats-sd/real/*"))],
        "photographs of oxford-cats": [
            ("real", path) for path in sorted(data.glob("oxford-cats/images/*"))
        ],
        "ddpm": [("fake", path) for path in sorted(data.glob("cats-ddpm/*/fake/*"))],
    }
    for name in GENERATORS:
        found[name] = [("fake", path) for path in sorted(data.glob(f"cats-sd/fake/{name}_*"))]
    return found


def print_sources(folder: Path, name: str) -> None:
    """Print a row for each source that was left out."""
    (found,) = results(folder, "leave_one_source_out")
    print(
        f"\n| {name}: left out | n | recall (95 %) | unsure (95 %) | correct or unsure (95 %) ",
        end="",
    )
    print("| n of the others | accuracy (95 %) |\n|---|---|---|---|---|---|---|")
    for source, figures in found["sources"].items():
        ((_, own),) = figures["per_class"].items()
        others = figures["others"]
        shares = (share(own, key) for key in ("recall", "abstention_rate", "detected_or_abstained"))
        cells = [source, own["n"], *shares, others["n"], share(others, "accuracy")]
        print(f"| {' | '.join(map(str, cells))} |", flush=True)


if __name__ == "__main__":
    main()
