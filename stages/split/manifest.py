"""What the optional ``manifest.csv`` knows of the images: group, source, family, and more."""

import csv
import re
import unicodedata
from itertools import dropwhile
from pathlib import Path, PurePosixPath

import pandas as pd

from twincam.files.errors import UserError
from twincam.files.folders import listed, visible

FACTS = ("group", "source", "family")
KNOWN = ("path", *FACTS, "partner", "id")
FOLDERS_SAY = ("split", "label", "class")
MOST_VALUES = 50


def read_manifest(folder: Path) -> pd.DataFrame:
    """Read ``folder/manifest.csv``.

    Returns:
        Columns path, group, source, family and whatever else it has: text, "" where unknown; no
        rows without a manifest.

    Raises:
        UserError: the file is no CSV, has no column ``path``, or names a column twice.
    """
    file = folder / "manifest.csv"
    if not file.exists():
        return pd.DataFrame(columns=["path", *FACTS], dtype=str)
    try:
        table = _read(file)
    except (csv.Error, UnicodeError) as error:
        raise UserError(f"{file}: not a CSV in UTF-8 ({error}); correct it") from None
    if "path" not in table:
        raise UserError(
            f"{file}: expected a column 'path' and any of {', '.join(FACTS)}, separated by commas, "
            f"but found {', '.join(map(repr, table.columns)) or 'nothing'}; correct its first line"
        )
    missing = [name for name in FACTS if name not in table]
    return table.assign(**dict.fromkeys(missing, ""))


def _read(file: Path) -> pd.DataFrame:
    """Read a CSV of text, without blanks around cells and empty cells at the end of lines.

    Lines that begin with "#" before the first line of cells, and with "# " below it, are comments.
    Case does not matter in the names of `KNOWN` and `FOLDERS_SAY`.

    Raises:
        csv.Error: an open quote, a column named twice, or a cell without a column.
    """
    with file.open(encoding="utf-8-sig", newline="") as lines:
        reader = csv.reader(lines, strict=True, skipinitialspace=True)
        rows = [[cell.strip() for cell in row] for row in reader]
    rows = [row for row in rows if any(row) and not re.match(r"#(\s|#|$)", row[0])]
    names, *rows = list(dropwhile(lambda row: row[0].startswith("#"), rows)) or [[]]
    plain = (*KNOWN, *FOLDERS_SAY)
    names = [name.lower() if name.lower() in plain else name for name in names]
    while names and not names[-1]:
        names.pop()
    if twice := [name for name in names if names.count(name) > 1]:
        raise csv.Error(f"its first line names {twice[0]!r} twice")
    for row in rows:
        if any(row[len(names) :]):
            raise csv.Error(f"a line has more cells than the first has names: {','.join(row)}")
    blank = [""] * len(names)
    return pd.DataFrame([(row + blank)[: len(names)] for row in rows], columns=names, dtype=str)


def unread(manifest: pd.DataFrame, info: Path, root: Path) -> list[str]:
    """Say what looks like a manifest, or a part of it, and is not read."""
    read = info / "manifest.csv"
    files = [
        path.as_posix()
        for folder in (info, root)
        if folder.is_dir()
        for path in visible(folder)
        if path.stem.casefold() == "manifest" and path.suffix != ".dvc" and path.is_file()
        if not (read.exists() and path.samefile(read))
    ]
    lines = [f"{file} is not read; a manifest is {read}, a CSV in UTF-8" for file in files]
    columns = [name for name in FOLDERS_SAY if name in manifest]
    if columns:
        lines.append(
            f"manifest.csv: {listed(columns)} settles neither class nor split; the folders and the "
            "block split of params.yaml do"
        )
    return lines


def matched(manifest: pd.DataFrame, paths: pd.Series) -> pd.DataFrame:
    """Return ``manifest`` with its paths spelled as in ``paths``, where only the form differs.

    Backslashes, a leading "./" and the Unicode form ("é" as one character or as two) are forms.

    Raises:
        UserError: two rows name the same path.
    """
    spelled = {_plain(path): path for path in paths}
    there = set(paths)
    found = [
        path if path in there else spelled.get(_plain(path), path) for path in manifest["path"]
    ]
    table = manifest.assign(path=found)
    twice = table.loc[table["path"].duplicated(), "path"]
    if len(twice):
        raise UserError(
            f"manifest.csv: expected one row for each path, but more "
            f"name {listed(list(twice), 1)}; leave one each"
        )
    return table


def _plain(path: str) -> str:
    return PurePosixPath(unicodedata.normalize("NFC", path).replace("\\", "/")).as_posix()


def unmatched(manifest: pd.DataFrame, images: pd.DataFrame) -> int:
    """Count the rows that name no image.

    Raises:
        UserError: there are rows and none of them names an image.
    """
    missing = ~manifest["path"].isin(images["path"])
    if len(manifest) and missing.all():
        raise UserError(
            f"manifest.csv: no row of it names an image: it says "
            f"{manifest['path'].iloc[0]!r}, an image is {images['path'].iloc[0]!r}; write its "
            "paths relative to data.root, or correct data.info"
        )
    return int(missing.sum())


def with_facts(images: pd.DataFrame, manifest: pd.DataFrame) -> pd.DataFrame:
    """Return ``images`` with the columns group, source and family of the manifest, or ""."""
    joined = images.merge(manifest[["path", *FACTS]], on="path", how="left")
    return joined.fillna(dict.fromkeys(FACTS, ""))


def attributes(images: pd.DataFrame, manifest: pd.DataFrame) -> pd.DataFrame:
    """Return ``id`` and what further columns of the manifest say of each of ``images``, or "".

    Columns with one value, or more than `MOST_VALUES`, say nothing of what images have in common
    and are left out.
    """
    further = [name for name in manifest if name not in KNOWN]
    said = images[["path"]].merge(manifest[["path", *further]], on="path", how="left").fillna("")
    telling = [name for name in further if 2 <= said[name].nunique() <= MOST_VALUES]
    return said[telling].assign(id=images["id"].to_numpy())[["id", *telling]]
