"""Write every output atomically and in one stable form; read them back.

A file is written beside its target and renamed, so a killed stage leaves the old file or none.
Names that end in ``.partial`` are git-ignored and belong to nobody.
"""

import csv
import io
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from stages.common.errors import UserError

EVALUATED_SPLITS = ("val", "test")


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Yield a path beside ``target`` to write a file to; it takes the target's name on success.

    A link that stands there is replaced, not what it leads to, which may be DVC's cache.

    Raises:
        UserError: ``target`` is no name of a file, or something that is no file stands there.
        OSError: with the target's name, also where the system gave none (a full disk, say).
    """
    _require_name(target)
    if target.exists() and not target.is_file():
        raise UserError(f"{target}: expected a file or nothing, found {_kind(target)}; name a file")
    with _partial(target) as partial:
        yield partial
        os.replace(partial, target)


@contextmanager
def atomic_folder(target: Path) -> Iterator[Path]:
    """Yield an empty folder beside ``target``; it takes the target's place on success.

    A folder that stands there goes if the new one has every name in it, as in a run by hand after
    another (DVC removes outputs before a run).

    Raises:
        UserError: ``target`` is no name of a folder, or what stands there is none or holds more.
        OSError: as in `atomic_path`.
    """
    _require_name(target)
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise UserError(
            f"{target}: expected a folder or nothing, found {_kind(target)}; name another folder"
        )
    with _partial(target) as partial:
        partial.mkdir()
        yield partial
        if more := names_below(target) - names_below(partial):
            raise UserError(
                f"{target}: holds {min(more)}, which would be lost ({len(more)} such); move it "
                "away or name another folder"
            )
        _remove(target)
        os.replace(partial, target)


def names_below(folder: Path) -> set[str]:
    """Return the path of everything below ``folder``, relative to it; links are not followed.

    What a file manager leaves in each folder that it shows does not count.
    """
    found = (path for path in folder.rglob("*") if path.name != ".DS_Store")
    return {str(path.relative_to(folder)) for path in found}


def partial_of(target: Path) -> Path:
    """Return the place where ``target`` is written; what a killed run left there is removed."""
    return target.with_name(f".{target.name}.partial")


def _require_name(target: Path) -> None:
    if target.name in ("", ".."):
        raise UserError(f"{str(target)!r}: expected the name of what to write; name one below it")


def _kind(path: Path) -> str:
    if path.is_symlink():
        return "a link"
    if path.is_dir():
        return "a folder"
    return "a file" if path.is_file() else "a device or pipe"


@contextmanager
def _partial(target: Path) -> Iterator[Path]:
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = partial_of(target)
    _remove(partial)
    try:
        yield partial
    except OSError as error:
        if error.filename in (None, str(partial)):
            error.filename = str(target)
        raise
    finally:
        _remove(partial)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path`` atomically."""
    with atomic_path(path) as partial:
        partial.write_bytes(content)


def write_text(path: Path, content: str) -> None:
    """Write ``content`` as UTF-8 with Unix line ends."""
    write_bytes(path, content.encode())


def rounded(value: Any) -> Any:
    """Round every float inside ``value`` to 6 digits; NaN and infinities become None."""
    if isinstance(value, Mapping):
        return {str(key): rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return round(value, 6) + 0.0 if np.isfinite(value) else None
    return value


def write_metrics(path: Path, metrics: Mapping[str, Any]) -> None:
    """Write ``metrics`` as JSON: keys sorted, floats rounded to 6 digits, a newline at the end."""
    text = json.dumps(rounded(metrics), indent=2, sort_keys=True, ensure_ascii=False)
    write_text(path, text + "\n")


def read_metrics(path: Path) -> dict[str, Any]:
    """Read what `write_metrics` wrote.

    Raises:
        UserError: the file is damaged or holds something else.
    """
    try:
        metrics = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        metrics = None
    if not isinstance(metrics, dict):
        raise UserError(
            f"{path}: expected JSON as a stage writes it, found something else; "
            "remove it and run `dvc repro`"
        )
    return metrics


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write ``table`` as CSV without its index, floats to 6 digits.

    All cells are quoted where one holds a carriage return, which a reader takes for a line's end.
    """
    text = _as_csv(table, csv.QUOTE_MINIMAL)
    write_text(path, _as_csv(table, csv.QUOTE_ALL) if "\r" in text else text)


def _as_csv(table: pd.DataFrame, quoting: Literal[0, 1]) -> str:
    return table.to_csv(index=False, float_format="%.6f", lineterminator="\n", quoting=quoting)


TEXT = (
    *("id", "path", "label", "predicted", "class", "split", "group", "source", "family"),
    *(
        "sha256",
        "phash",
        "format",
        "kind",
        "neighbour",
        "set",
        "flips",
        "verdict",
        "in_words",
        "left_out",
    ),
)
"""The columns that hold names or text."""


def read_table(path: Path, text: tuple[str, ...] = ()) -> pd.DataFrame:
    """Read a CSV; empty cells stay empty strings.

    The columns `TEXT` and those named in ``text`` stay strings, whatever their
    values look like: a class may be called ``007``, ``1e5``, ``True`` or ``nan``.
    """
    return pd.read_csv(path, dtype=dict.fromkeys((*TEXT, *text), str), keep_default_na=False)


def read_texts(path: Path) -> pd.DataFrame:
    """Read a CSV whose cells all stay strings."""
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def write_array(path: Path, array: np.ndarray) -> None:
    """Write ``array`` as ``.npy``."""
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(array), allow_pickle=False)
    write_bytes(path, buffer.getvalue())


def read_array(path: Path) -> np.ndarray:
    """Open a ``.npy`` file memory-mapped, read-only.

    Raises:
        UserError: the file is no array.
    """
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError:
        try:
            return np.load(path, allow_pickle=False)
        except ValueError:
            raise UserError(f"{path}: not a .npy array; remove it and run `dvc repro`") from None


def read_finite(path: Path) -> np.ndarray:
    """Open a ``.npy`` file as `read_array` does.

    Raises:
        UserError: the file is no array, or something in it is NaN or infinite.
    """
    array = read_array(path)
    if not np.isfinite(array).all():
        raise UserError(_not_finite(path))
    return array


def read_logits(path: Path) -> pd.DataFrame:
    """Read a CSV as `read_table` does, with columns ``logit_<class>``.

    Raises:
        UserError: a logit is no number, NaN or infinite.
    """
    table = read_table(path)
    logits = table[[name for name in table if str(name).startswith("logit_")]]
    numbers = logits.apply(pd.to_numeric, errors="coerce").to_numpy(float)
    if not np.isfinite(numbers).all():
        raise UserError(_not_finite(path))
    return table


def _not_finite(path: Path) -> str:
    return (
        f"{path}: expected finite numbers, got a missing or infinite one; remove it and run "
        "`dvc repro` (a training that diverged leaves such: lower train.learning_rate then)"
    )


def read_split(path: Path) -> pd.DataFrame:
    """Read ``data/split.csv``; row i describes row i of ``data/images.npy``."""
    return read_table(path)


def class_names(split: pd.DataFrame) -> list[str]:
    """Return the labels in the order of the network's outputs: sorted."""
    return sorted(split["label"].unique())
