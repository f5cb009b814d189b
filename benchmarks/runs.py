"""Run the pipeline in a throw-away clone of the current commit, one setting after the other."""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from twincam.app.presets import leaves

ROOT = Path(__file__).parents[1]
PRESETS = ROOT / "presets"
HEADING = (
    "| {} | n | excluded | accuracy (95 %) | AUC | pointing game | ProtoPNet (95 %) "
    "| lowest recall | McNemar p | distinct images | guards broken | seconds |"
)


def run(folder: Path, *command: str) -> None:
    """Run a command in ``folder``; exit with its output if it fails."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stdout}\n{done.stderr}")


def settings(overlay: Path) -> dict[str, Any]:
    """Return the parameters that a YAML file like those of presets/ sets, by dotted names."""
    return {".".join(path): value for path, value in leaves(YAML(typ="safe").load(overlay))}


@contextmanager
def clone(*photographs: Path) -> Iterator[Path]:
    """Yield a clone in which each folder of ``photographs`` is tracked below ``data/``."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "clone"
        run(ROOT, "git", "clone", "--quiet", str(ROOT), str(folder))
        for images in photographs:
            shutil.copytree(images, folder / "data" / images.name)
            run(folder, "dvc", "add", f"data/{images.name}")
        yield folder


def lay_out_sources(images: Path, folder: Path) -> None:
    """Copy a set to ``folder`` as ``source/class/``, the fakes of `cats-sd` by their generators."""
    for path in sorted(path for path in images.rglob("*") if path.is_file()):
        label, source = path.parent.name, images.name
        if (source, label) == ("cats-sd", "fake"):
            source = path.name.split("_")[0]
        (folder / source / label).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, folder / source / label)


def print_heading(what: str) -> None:
    """Print the first two lines of a Markdown table whose rows `print_row` adds."""
    print(HEADING.format(what))
    print("|" + "---|" * (HEADING.count("|") - 1), flush=True)


def experiment(folder: Path, changes: Mapping[str, object], *targets: str) -> float:
    """Run ``targets`` with ``changes`` to the committed parameters; return the seconds it took."""
    run(folder, "git", "checkout", "--quiet", "params.yaml")
    settings = [f"--set-param={key}={override(value)}" for key, value in changes.items()]
    started = time.monotonic()
    run(folder, "dvc", "exp", "run", *targets, *settings)
    return time.monotonic() - started


def override(value: object) -> str:
    """Return a value as ``dvc exp run --set-param`` reads it: JSON whose keys are not quoted."""
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{override(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(override, value)) + "]"
    return json.dumps(value)


def results(folder: Path, *stages: str) -> Iterator[Any]:
    """Yield the details of each of ``stages``."""
    for stage in stages:
        yield json.loads((folder / "reports" / "details" / f"{stage}.json").read_text())


def print_row(folder: Path, name: str, changes: Mapping[str, object]) -> None:
    """Run all stages with ``changes`` to the committed parameters and print a table row.

    A collapsed prototype network only warns: it is a result, and is in the row.
    """
    seconds = experiment(folder, {**changes, "prototypes.on_collapse": "warn"}, "report")
    found = results(folder, "split", "evaluate", "explain", "prototypes")
    split, evaluated, explained, prototyped = found
    val, prototypes = evaluated["val"], prototyped["val"]
    cells = [
        name,
        val["n"],
        split["images"]["dropped"],
        share(val, "accuracy"),
        f"{val['roc_auc']:.3f}",
        share(explained["heatmaps"]["gradcam"], "pointing_game"),
        share(prototypes, "accuracy"),
        f"{prototypes['lowest_class_recall']:.3f}",
        f"{prototypes['classifier_gap_p']:.2f}",
        prototyped["prototypes"]["distinct_images"],
        "; ".join(prototyped.get("guards_broken", ["none"])),
        f"{seconds:.0f}",
    ]
    print(f"| {' | '.join(map(str, cells))} |", flush=True)


def share(figures: Mapping[str, float], name: str) -> str:
    """Return a share with its interval, or a dash where there is none."""
    if name not in figures:
        return "–"
    return f"{figures[name]:.3f} ({figures[f'{name}_low']:.3f}–{figures[f'{name}_high']:.3f})"
