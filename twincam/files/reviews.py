"""The optional ``reviews.csv``: images that a person found mislabelled, duplicate or unfit."""

from pathlib import Path

import pandas as pd

from twincam.files.errors import UserError
from twincam.files.folders import listed
from twincam.files.handwritten import read_handwritten
from twincam.files.tables import plain_path, write_table

MARKS = ("mislabelled", "duplicate", "unfit")
COLUMNS = ("path", "mark", "note", "label")


def read_reviews(folder: Path) -> pd.DataFrame:
    """Read ``folder/reviews.csv``.

    Returns:
        `COLUMNS`, all text, "" if unknown; no rows if there is no such file.

    Raises:
        UserError: the file is not a CSV, lacks a column, repeats one, or holds an unknown mark.
    """
    file = folder / "reviews.csv"
    if not file.exists():
        return pd.DataFrame(columns=list(COLUMNS), dtype=str)
    table = read_handwritten(file, COLUMNS, "mark, and any of note, label")
    if "mark" not in table:
        raise UserError(
            f"{file}: expected a column 'mark' ({', '.join(MARKS)}), but found "
            f"{', '.join(map(repr, table.columns))}; add it"
        )
    unknown = sorted(set(table["mark"]) - set(MARKS))
    if unknown:
        raise UserError(
            f"{file}: unknown mark {listed(unknown, 1)}; write one of {', '.join(MARKS)}"
        )
    missing = [name for name in COLUMNS if name not in table]
    table["path"] = table["path"].str.removeprefix("./")
    return table.assign(**dict.fromkeys(missing, ""))[list(COLUMNS)]


def add_reviews(folder: Path, reviews: pd.DataFrame) -> None:
    """Add ``reviews`` to ``folder/reviews.csv``, sorted by path; the last mark of a path counts.

    A row without a mark takes back the mark of its path.

    Args:
        folder: the one that ``data.info`` names; it is made if there is none.
        reviews: `COLUMNS`.

    Raises:
        UserError: the file there cannot be read.
    """
    together = pd.concat([read_reviews(folder), reviews]).drop_duplicates("path", keep="last")
    marked = together[together["mark"] != ""].sort_values("path")
    write_table(folder / "reviews.csv", marked.assign(path=marked["path"].map(plain_path)))
