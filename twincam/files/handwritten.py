"""Read tables that people write by hand: a CSV with a column ``path``."""

import csv
import re
from collections.abc import Container
from itertools import dropwhile
from pathlib import Path

import pandas as pd

from twincam.files.errors import UserError


def read_handwritten(file: Path, plain: Container[str], hint: str) -> pd.DataFrame:
    """Read a CSV of text; strip white space around cells and empty cells at the end of lines.

    Lines that begin with "#" above the header, and with "# " below it, are comments.

    Args:
        file: in UTF-8, with or without a byte order mark.
        plain: names of columns in which case does not matter, in lower case.
        hint: the other columns that are expected, for the message.

    Raises:
        UserError: the file is not a CSV, has no column ``path``, or repeats a column.
    """
    try:
        table = _read(file, plain)
    except (csv.Error, UnicodeError) as error:
        raise UserError(f"{file}: not a CSV in UTF-8 ({error}); correct it") from None
    if "path" not in table:
        raise UserError(
            f"{file}: expected a column 'path' and {hint}, separated by commas, but found "
            f"{', '.join(map(repr, table.columns)) or 'nothing'}; correct its header"
        )
    return table


def _read(file: Path, plain: Container[str]) -> pd.DataFrame:
    """Read the table.

    Raises:
        csv.Error: an unclosed quote, a repeated column, or a cell without a column.
    """
    with file.open(encoding="utf-8-sig", newline="") as lines:
        reader = csv.reader(lines, strict=True, skipinitialspace=True)
        rows = [[cell.strip() for cell in row] for row in reader]
    rows = [row for row in rows if any(row) and not re.match(r"#(\s|#|$)", row[0])]
    names, *rows = list(dropwhile(lambda row: row[0].startswith("#"), rows)) or [[]]
    names = [name.lower() if name.lower() in plain else name for name in names]
    while names and not names[-1]:
        names.pop()
    if twice := [name for name in names if names.count(name) > 1]:
        raise csv.Error(f"its header names {twice[0]!r} twice")
    for row in rows:
        if any(row[len(names) :]):
            raise csv.Error(f"a line has more cells than the header: {','.join(row)}")
    blank = [""] * len(names)
    return pd.DataFrame([(row + blank)[: len(names)] for row in rows], columns=names, dtype=str)
