"""Read and write tables as CSV; the table of images and their splits."""

from __future__ import annotations

import csv
from collections.abc import Container, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from twincam.files.arrays import not_finite_message
from twincam.files.atomic import write_text
from twincam.files.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

EVALUATED_SPLITS = ("val", "test")


def headline_split(measured: Container[str]) -> str | None:
    """Return the split whose metrics are the headlines: test if it is in ``measured``, else val.

    If there is a test split, val was used to choose the epoch, so only test is unbiased.
    None where neither was measured.
    """
    return next((name for name in reversed(EVALUATED_SPLITS) if name in measured), None)


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write ``table`` as CSV without its index, floats with 6 decimals.

    All cells are quoted if one contains a carriage return, which readers take for the end of a
    line.
    """
    text = _as_csv(table, csv.QUOTE_MINIMAL)
    write_text(path, _as_csv(table, csv.QUOTE_ALL) if "\r" in text else text)


def _as_csv(table: pd.DataFrame, quoting: Literal[0, 1]) -> str:
    return table.to_csv(index=False, float_format="%.6f", lineterminator="\n", quoting=quoting)


def plain_path(path: str) -> str:
    """Return ``path`` with a leading "./" where it could be taken for something else in a CSV.

    That is a formula, by a spreadsheet, or a comment, by `read_handwritten`.
    """
    return f"./{path}" if path.startswith(("#", "=", "+", "-", "@", "\t")) else path


TEXT_COLUMNS = (
    *("id", "path", "label", "predicted", "class", "split", "group", "source", "family"),
    *("sha256", "phash", "format", "kind", "neighbour", "set", "flips", "verdict", "statement"),
    *("left_out", "as_is", "remark"),
)
"""The columns that hold names or text."""


def read_table(path: Path, text: tuple[str, ...] = ()) -> pd.DataFrame:
    """Read a CSV; empty cells become empty strings.

    The columns in `TEXT_COLUMNS` and in ``text`` are read as strings, whatever their values look
    like: a class may be called ``007``, ``1e5``, ``True`` or ``nan``.
    """
    import pandas as pd

    columns = (*TEXT_COLUMNS, *text)
    return pd.read_csv(path, dtype=dict.fromkeys(columns, str), keep_default_na=False)


def read_texts(path: Path) -> pd.DataFrame:
    """Read a CSV with all cells as strings."""
    import pandas as pd

    return pd.read_csv(path, dtype=str, keep_default_na=False)


def logit_columns(classes: Sequence[str]) -> list[str]:
    """Return the names of the columns of logits, ``logit_<class>``."""
    return [f"logit_{name}" for name in classes]


def assign_logits(table: pd.DataFrame, logits: np.ndarray, classes: Sequence[str]) -> pd.DataFrame:
    """Return ``table`` with the columns ``logit_<class>`` of logits ``[N,K]``."""
    return table.assign(**dict(zip(logit_columns(classes), logits.T, strict=True)))


def read_logits(path: Path) -> pd.DataFrame:
    """Read a CSV with columns ``logit_<class>``, as `read_table` does.

    Raises:
        UserError: a logit is not a finite number.
    """
    import pandas as pd

    table = read_table(path)
    logits = table[[name for name in table if str(name).startswith("logit_")]]
    numbers = logits.apply(pd.to_numeric, errors="coerce").to_numpy(float)
    if not np.isfinite(numbers).all():
        raise UserError(not_finite_message(path))
    return table


def read_split(path: Path) -> pd.DataFrame:
    """Read ``data/split.csv``; row i describes row i of ``data/prepared/images``."""
    return read_table(path)


def class_names(split: pd.DataFrame) -> list[str]:
    """Return the sorted labels, the order of the network's outputs."""
    return sorted(split["label"].unique())
