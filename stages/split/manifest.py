"""The optional ``manifest.csv``: group, source, family and other attributes of the images."""

import csv
import re
import unicodedata
from itertools import dropwhile
from pathlib import Path, PurePosixPath

import pandas as pd

from twincam.files.errors import UserError
from twincam.files.folders import listed, visible

METADATA = ("group", "source", "family")
RESERVED = ("path", *METADATA, "partner", "id")
SET_BY_FOLDERS = ("split", "label", "class")
MAX_VALUES = 50


def read_manifest(folder: Path) -> pd.DataFrame:
    """Read ``folder/manifest.csv``.

    Returns:
        Columns path, group, source, family and any others it has, all text, "" if unknown; no rows
        if there is no manifest.

    Raises:
        UserError: the file is not a CSV, has no column ``path``, or repeats a column.
    """
    file = folder / "manifest.csv"
    if not file.exists():
        return pd.DataFrame(columns=["path", *METADATA], dtype=str)
    try:
        table = _read(file)
    except (csv.Error, UnicodeError) as error:
        raise UserError(f"{file}: not a CSV in UTF-8 ({error}); correct it") from None
    if "path" not in table:
        raise UserError(
            f"{file}: expected a column 'path' and any of {', '.join(METADATA)}, separated by "
            f"commas, but found {', '.join(map(repr, table.columns)) or 'nothing'}; correct its "
            "header"
        )
    missing = [name for name in METADATA if name not in table]
    return table.assign(**dict.fromkeys(missing, ""))


def _read(file: Path) -> pd.DataFrame:
    """Read a CSV of text; strip white space around cells and empty cells at the end of lines.

    Lines that begin with "#" above the header, and with "# " below it, are comments. Case does not
    matter in the names of `RESERVED` and `SET_BY_FOLDERS`.

    Raises:
        csv.Error: an unclosed quote, a repeated column, or a cell without a column.
    """
    with file.open(encoding="utf-8-sig", newline="") as lines:
        reader = csv.reader(lines, strict=True, skipinitialspace=True)
        rows = [[cell.strip() for cell in row] for row in reader]
    rows = [row for row in rows if any(row) and not re.match(r"#(\s|#|$)", row[0])]
    names, *rows = list(dropwhile(lambda row: row[0].startswith("#"), rows)) or [[]]
    plain = (*RESERVED, *SET_BY_FOLDERS)
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


def ignored_parts(manifest: pd.DataFrame, info: Path, root: Path) -> list[str]:
    """Return warnings about files that look like a manifest but are not read, and about columns.

    The columns are those whose values come from the folders, not from the manifest.
    """
    read = info / "manifest.csv"
    files = [
        path.as_posix()
        for folder in (info, root)
        if folder.is_dir()
        for path in visible(folder)
        if path.stem.casefold() == "manifest" and path.suffix != ".dvc" and path.is_file()
        if not (read.exists() and path.samefile(read))
    ]
    lines = [f"{file} is not read; the manifest is {read}, a CSV in UTF-8" for file in files]
    columns = [name for name in SET_BY_FOLDERS if name in manifest]
    if columns:
        lines.append(
            f"manifest.csv: {listed(columns)} is ignored; class and split come from the folders "
            "and the block split of params.yaml"
        )
    return lines


def with_image_paths(manifest: pd.DataFrame, paths: pd.Series) -> pd.DataFrame:
    """Return ``manifest`` with its paths spelled as in ``paths``.

    Backslashes, a leading "./" and another Unicode form ("é" as one character or as two) still
    match.

    Raises:
        UserError: two rows name the same path.
    """
    spellings = {_normalised(path): path for path in paths}
    exact = set(paths)
    found = [
        path if path in exact else spellings.get(_normalised(path), path)
        for path in manifest["path"]
    ]
    table = manifest.assign(path=found)
    repeated = table.loc[table["path"].duplicated(), "path"]
    if len(repeated):
        raise UserError(
            f"manifest.csv: expected one row per path, but several name "
            f"{listed(list(repeated), 1)}; keep one of them"
        )
    return table


def _normalised(path: str) -> str:
    return PurePosixPath(unicodedata.normalize("NFC", path).replace("\\", "/")).as_posix()


def count_unmatched(manifest: pd.DataFrame, images: pd.DataFrame) -> int:
    """Count the rows that name no image.

    Raises:
        UserError: there are rows and none of them names an image.
    """
    missing = ~manifest["path"].isin(images["path"])
    if len(manifest) and missing.all():
        raise UserError(
            f"manifest.csv: none of its rows names an image: its first path is "
            f"{manifest['path'].iloc[0]!r}, that of the first image {images['path'].iloc[0]!r}; "
            "write its paths relative to data.root, or correct data.info"
        )
    return int(missing.sum())


def with_metadata(images: pd.DataFrame, manifest: pd.DataFrame) -> pd.DataFrame:
    """Return ``images`` with the manifest's columns group, source and family, "" if unknown."""
    joined = images.merge(manifest[["path", *METADATA]], on="path", how="left")
    return joined.fillna(dict.fromkeys(METADATA, ""))


def attributes(images: pd.DataFrame, manifest: pd.DataFrame) -> pd.DataFrame:
    """Return ``id`` and the manifest's other columns for each of ``images``, "" if unknown.

    Columns with a single value, or with more than `MAX_VALUES`, cannot group images and are
    omitted.
    """
    names = [name for name in manifest if name not in RESERVED]
    values = images[["path"]].merge(manifest[["path", *names]], on="path", how="left").fillna("")
    grouping = [name for name in names if 2 <= values[name].nunique() <= MAX_VALUES]
    return values[grouping].assign(id=images["id"].to_numpy())[["id", *grouping]]
