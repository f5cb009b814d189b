"""Rewrite params.yaml with a named set of parameters, comments kept, and say what changed."""

import argparse
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from stages.common.artifacts import write_text
from stages.common.errors import UserError, run_stage
from stages.common.project import project_root

FOLDER = Path(__file__).parent


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    arguments = argparse.ArgumentParser(prog="presets", description=__doc__)
    arguments.add_argument("name", help=", ".join(names()))
    arguments.add_argument("--params", type=Path, help="file (default: params.yaml of the project)")
    return arguments


def names() -> list[str]:
    """Return the presets there are."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def leaves(
    tree: dict[str, Any], prefix: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield path and value of every leaf of nested mappings."""
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from leaves(value, (*prefix, key))
        else:
            yield (*prefix, key), value


def apply_preset(params: dict[str, Any], preset: dict[str, Any]) -> list[str]:
    """Set the leaves of ``preset`` in ``params``; return a line for each that changed.

    Raises:
        UserError: the preset sets a key that ``params`` lacks.
    """
    changes = []
    for path, value in leaves(preset):
        block, name = params, ".".join(path)
        for key in path[:-1]:
            block = block.get(key, {}) if isinstance(block, dict) else {}
        if not isinstance(block, dict) or path[-1] not in block:
            raise UserError(
                f"{name} is not in params.yaml; add it there or drop it from the preset"
            )
        if block[path[-1]] != value:
            changes.append(f"{name}: {block[path[-1]]} → {value}")
            block[path[-1]] = value
    return changes


def read_parameters(file: Path, yaml: YAML) -> dict[str, Any]:
    """Return what ``file`` holds.

    Raises:
        UserError: it is no YAML mapping, or not there.
    """
    try:
        params = yaml.load(file)
    except FileNotFoundError:
        raise UserError(f"{file}: not found; name a params.yaml with --params") from None
    except (YAMLError, UnicodeDecodeError):
        params = None
    if not isinstance(params, dict):
        raise UserError(f"{file}: expected a YAML mapping as in params.yaml; name another file")
    return params


def main(argv: list[str]) -> None:
    """Apply the preset; ``default`` first, so that presets do not pile up."""
    args = parser().parse_args(argv)
    if args.name not in names():
        raise UserError(f"no preset {args.name!r}; there are {', '.join(names())}")
    plain, keeping = YAML(typ="safe"), YAML()
    keeping.preserve_quotes = True
    keeping.width = 120
    file = args.params or project_root(Path.cwd()) / "params.yaml"
    params = read_parameters(file, keeping)
    preset = plain.load(FOLDER / "default.yaml")
    for path, value in leaves(plain.load(FOLDER / f"{args.name}.yaml")):
        block = preset
        for key in path[:-1]:
            block = block.setdefault(key, {})
        block[path[-1]] = value
    changes = apply_preset(params, preset)
    text = io.StringIO()
    keeping.dump(params, text)
    if changes:
        write_text(Path(os.path.realpath(file)), text.getvalue())
    print("\n".join(changes) or f"params.yaml already is {args.name}", file=sys.stdout)


if __name__ == "__main__":
    run_stage(main, "presets")
