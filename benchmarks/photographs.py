"""Run the pipeline on a folder of photographs for several seeds, harmonised and not; print a table.

Works in a throw-away clone of the current commit. Used as
``python benchmarks/photographs.py path/to/cats-ddpm``.
"""

import argparse
import itertools
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]


def run(folder: Path, *command: str) -> None:
    """Run a command in ``folder``; end with what it printed if it fails."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stdout}\n{done.stderr}")


def row(folder: Path, seed: int, harmonise: bool, seconds: float) -> str:
    """Return one line of the table from the metrics in ``folder``."""
    split, evaluated, protopnet = (
        json.loads((folder / "reports" / f"{name}.json").read_text())
        for name in ("split", "evaluate", "protopnet")
    )
    val, prototypes = evaluated["val"], protopnet["val"]
    cells = [
        seed,
        "yes" if harmonise else "no",
        val["n"],
        len(split["dropped"]),
        f"{val['accuracy']:.3f} ({val['accuracy_low']:.3f}–{val['accuracy_high']:.3f})",
        f"{val['roc_auc']:.3f}",
        f"{prototypes['accuracy']:.3f}"
        f" ({prototypes['accuracy_low']:.3f}–{prototypes['accuracy_high']:.3f})",
        f"{prototypes['lowest_class_recall']:.3f}",
        f"{prototypes['classifier_gap_p']:.2f}",
        protopnet["prototypes"]["distinct_images"],
        f"{seconds:.0f}",
    ]
    return f"| {' | '.join(map(str, cells))} |"


def main() -> None:
    """Run every combination and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    args = parser.parse_args()
    print(
        "| seed | harmonised | n | left out | accuracy (95 %) | AUC | ProtoPNet (95 %) "
        "| lowest recall | McNemar p | distinct images | seconds |"
    )
    print("|" + "---|" * 11, flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        clone = Path(scratch) / "clone"
        run(ROOT, "git", "clone", "--quiet", str(ROOT), str(clone))
        shutil.copytree(args.images, clone / "data" / "photographs")
        run(clone, "dvc", "add", "data/photographs")
        settings = ["-S", "data.root=data/photographs", "-S", "data.info=data/none"]
        for harmonise, seed in itertools.product((True, False), args.seeds):
            changes = ["-S", f"prepare.harmonise={str(harmonise).lower()}", "-S", f"seed={seed}"]
            started = time.monotonic()
            run(clone, "dvc", "exp", "run", "report", *settings, *changes)
            print(row(clone, seed, harmonise, time.monotonic() - started), flush=True)


if __name__ == "__main__":
    main()
