"""How often the `forensics` preset finds traces, with photographs of each set in training.

Used as ``python -m benchmarks.forensics path/to/data``, a folder with `cats-ddpm`, `cats-sd` and
`oxford-cats`. The threshold is set on the training photographs and on `oxford-cats`; the set that
is not in training is another source, its generators one each.
"""

import argparse
import shutil
from pathlib import Path

from benchmarks.runs import clone, experiment, lay_out_sources, results, share

OTHERS, PHOTOGRAPHS = "data/others", "data/photographs"
SETS = ("cats-ddpm", "cats-sd")


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    data = parser.parse_args().data
    print("| photographs of training | images | n | traces found (95 %) | seconds |")
    print("|---|---|---|---|---|", flush=True)
    for own, other in (SETS, SETS[::-1]):
        with clone(data / own) as folder:
            lay_out_sources(data / other, folder / OTHERS)
            shutil.copytree(data / "oxford-cats" / "images", folder / PHOTOGRAPHS)
            changes = {
                "data.root": f"data/{own}",
                "data.info": "data/none",
                "data.external": OTHERS,
                "forensics.target_fpr": 0.05,
                "forensics.photographs": PHOTOGRAPHS,
            }
            experiment(folder, changes, "stability")
            seconds = experiment(folder, changes, "forensics")
            (found,) = results(folder, "forensics")
            blocks = {f"{own}, {name}": found[name] for name in ("train", "val")}
            blocks["oxford-cats"] = found["photographs"]
            blocks |= {f"{name}, another source": one for name, one in found["external"].items()}
            for title, by_class in blocks.items():
                for label, one in by_class.items():
                    cells = [own, f"{title}: {label}", one["n"], share(one, "traced")]
                    print(f"| {' | '.join(map(str, cells))} | {seconds:.0f} |", flush=True)


if __name__ == "__main__":
    main()
