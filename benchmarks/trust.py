"""Benefit and cost of the robust preset on photographs, compared with plain training.

Used as ``python -m benchmarks.trust path/to/data``, a folder with `cats-ddpm`, `cats-sd` and
`oxford-cats`. Trained on the first; the others are other sources, one for each generator.
"""

import argparse
import shutil
from collections.abc import Iterator
from pathlib import Path

from benchmarks.runs import PRESETS, clone, experiment, lay_out_sources, results, settings, share

OTHERS = "data/others"
JPEG = "50"
TITLES = {
    "val": "| setting | n | accuracy | at JPEG 50 | lost | flips | seconds |",
    "calibration": (
        "| setting | temperature | ECE before | calibrated: median, 95th | ECE after "
        "| calibrated: median, 95th | NLL after minus before |"
    ),
    "unsure": (
        "| setting | unsure | by margin | n sure | right when sure | coverage (nominal 0.95) |"
    ),
    "others": "| setting | source: class | n | recall | unsure | recognised or unsure |",
}


def rows_of(name: str, folder: Path, seconds: float) -> Iterator[tuple[str, list[str]]]:
    """Yield the table and the cells of each row that a run gives."""
    evaluated, robustness = results(folder, "evaluate", "robustness")
    val, worn = evaluated["val"], robustness["val"]["jpeg"][JPEG]
    cells = [share(worn, key) for key in ("accuracy", "accuracy_drop", "flip_rate")]
    yield "val", [name, str(val["n"]), share(val, "accuracy"), *cells, f"{seconds:.0f}"]
    calibration, unsure = val["calibration"], val["unsure"]
    if "after" in calibration:
        moments = [
            text
            for when in ("before", "after")
            for text in (share(calibration[when], "ece"), expected(calibration[when]))
        ]
        change, low, high = (calibration[f"nll_change{end}"] for end in ("", "_low", "_high"))
        moved = f"{change:+.3f} ({low:+.3f} to {high:+.3f})"
        yield "calibration", [name, f"{calibration['temperature']:.2f}", *moments, moved]
    if "coverage" in unsure:
        yield (
            "unsure",
            [
                name,
                *(share(unsure, key) for key in ("abstention_rate", "by_margin")),
                str(unsure["n_sure"]),
                *(share(unsure, key) for key in ("accuracy_when_sure", "coverage")),
            ],
        )
    for source, found in evaluated["external"].items():
        for label, one in found["per_class"].items():
            names = ("recall", "abstention_rate", "detected_or_abstained")
            cells = [share(one, key) for key in names]
            yield "others", [name, f"{source}: {label}", str(one["n"]), *cells]


def expected(found: dict[str, float]) -> str:
    """Return the ECE that a calibrated model would have: median and 95th percentile."""
    return f"{found['ece_expected']:.3f}, {found['ece_expected_high']:.3f}"


def main() -> None:
    """Print Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    args = parser.parse_args()
    rows: dict[str, list[list[str]]] = {name: [] for name in TITLES}
    with clone(args.data / "cats-ddpm") as folder:
        lay_out_sources(args.data / "cats-sd", folder / OTHERS)
        shutil.copytree(
            args.data / "oxford-cats" / "images", folder / OTHERS / "oxford-cats" / "real"
        )
        data = {"data.root": "data/cats-ddpm", "data.info": "data/none"}
        for seed in args.seeds:
            for preset in ("default", "robust"):
                folds = {"crossval.folds": 5 if seed == args.seeds[0] else 0}
                changes = {
                    **settings(PRESETS / f"{preset}.yaml"),
                    **data,
                    **folds,
                    "data.external": OTHERS,
                }
                changes |= {"seed": seed, "audit.permutations": 20}
                seconds = experiment(folder, changes, "evaluate", "robustness")
                for table, cells in rows_of(f"{preset}, seed {seed}", folder, seconds):
                    rows[table].append(cells)
                    print(f"{table}: | {' | '.join(cells)} |", flush=True)
    for name, title in TITLES.items():
        print(f"\n{title}\n|{'---|' * (title.count('|') - 1)}")
        for cells in rows[name]:
            print(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
