"""Set ``params.yaml`` to a named set of parameters, keeping its comments."""

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from twincam.files.atomic import write_text
from twincam.files.errors import UserError

DEFAULT = "default"
"""The preset that undoes all others: it sets every parameter that any of them sets."""


def set_preset(file: Path, name: str, presets: Path) -> list[str]:
    """Set the parameters in ``file`` to a preset; return a line for each that changed.

    Parameters that no preset sets are kept. A link is followed.

    Args:
        file: a ``params.yaml``.
        name: of a file in ``presets``, without ``.yaml``.
        presets: the project's folder of them.

    Raises:
        UserError: there is no such preset, ``file`` holds no parameters, or lacks one that the
            preset sets.
    """
    known = sorted(path.stem for path in presets.glob("*.yaml"))
    if name not in known:
        raise UserError(f"unknown preset {name!r}; choose one of {', '.join(known)} (in {presets})")
    plain, keeping = YAML(typ="safe"), YAML()
    keeping.preserve_quotes = True
    keeping.width = 120
    params = _read(file, keeping)
    values = {
        path: value
        for preset in (DEFAULT, name)
        for path, value in leaves(plain.load(presets / f"{preset}.yaml"))
    }
    changes = [line for path, value in values.items() for line in _set(params, path, value)]
    if changes:
        text = io.StringIO()
        keeping.dump(params, text)
        write_text(Path(os.path.realpath(file)), text.getvalue())
    return changes


def leaves(
    tree: dict[str, Any], prefix: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield path and value of every leaf of nested mappings."""
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from leaves(value, (*prefix, key))
        else:
            yield (*prefix, key), value


def _set(params: dict[str, Any], path: tuple[str, ...], value: Any) -> Iterator[str]:
    """Set one parameter; yield a line if that changed it."""
    block = params
    for key in path[:-1]:
        block = block.get(key, {}) if isinstance(block, dict) else {}
    name, key = ".".join(path), path[-1]
    if not isinstance(block, dict) or key not in block:
        raise UserError(f"{name} is not in params.yaml; add it there or drop it from the preset")
    if block[key] != value:
        yield f"{name}: {block[key]} → {value}"
        block[key] = value


def _read(file: Path, yaml: YAML) -> dict[str, Any]:
    try:
        params = yaml.load(file)
    except FileNotFoundError:
        raise UserError(f"{file}: not found; give a params.yaml with --params") from None
    except (YAMLError, UnicodeDecodeError):
        params = None
    if not isinstance(params, dict):
        raise UserError(f"{file}: expected a YAML mapping as in params.yaml; give another file")
    return params
