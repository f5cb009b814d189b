"""What a change of the library costs: the stages that DVC reruns after one file of a room changed.

Used as ``python -m benchmarks.staleness``; prints a Markdown table. A stage counts if ``dvc.yaml``
names the file or a folder above it among its dependencies. Stages that follow because an output
came out different are not counted.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]


def units(library: Path) -> list[Path]:
    """Return, sorted, the rooms of ``library`` and what is directly in its ``explanations``."""
    found = [*library.iterdir(), *(library / "explanations").iterdir()]
    rooms = [path for path in found if path.suffix == ".py" or any(path.glob("*.py"))]
    hidden = {"__init__.py", "__main__.py", "explanations"}
    return sorted(path for path in rooms if path.name not in hidden)


def one_file(unit: Path) -> Path:
    """Return ``unit`` if it is a file, else the first module in it that is not empty."""
    if unit.is_file():
        return unit
    return next(file for file in sorted(unit.rglob("*.py")) if file.stat().st_size)


def stale(file: str, stages: Mapping[str, Any]) -> list[str]:
    """Return the stages of ``dvc.yaml`` that depend on ``file``, a path from the project's root."""
    return [
        name
        for name, stage in stages.items()
        if any(file == dep or file.startswith(f"{dep}/") for dep in stage["deps"])
    ]


def table(rows: Iterable[tuple[str, Sequence[str]]], count: int) -> str:
    """Return a Markdown table of files and the stages that each makes stale, of ``count``."""
    lines = ["| changed file | stages | which |", "|---|---|---|"]
    for file, names in rows:
        which = "all" if len(names) == count else ", ".join(names) or "none"
        lines.append(f"| {file} | {len(names)} of {count} | {which} |")
    return "\n".join(lines)


def main() -> None:
    """Print the table of this working tree."""
    stages = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]
    files = [one_file(unit).relative_to(ROOT).as_posix() for unit in units(ROOT / "twincam")]
    print(table([(file, stale(file, stages)) for file in files], len(stages)))


if __name__ == "__main__":
    main()
