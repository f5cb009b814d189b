"""The optional ``manifest.csv``: group, source, family and other attributes of the images."""

import unicodedata
from collections.abc import Collection
from pathlib import Path, PurePosixPath

import pandas as pd

from twincam.files.errors import UserError
from twincam.files.folders import listed, visible
from twincam.files.handwritten import read_handwritten

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
    plain = (*RESERVED, *SET_BY_FOLDERS)
    table = read_handwritten(file, plain, f"any of {', '.join(METADATA)}")
    missing = [name for name in METADATA if name not in table]
    return table.assign(**dict.fromkeys(missing, ""))


def ignored_parts(manifest: pd.DataFrame, info: Path, root: Path) -> list[str]:
    """Return warnings about tables that look like those of `info` but are not read, and columns.

    The columns are those whose values come from the folders, not from the manifest.
    """
    lines = [
        f"{path.as_posix()} is not read; the {name} is {read}, a CSV in UTF-8"
        for name, read in (("manifest", info / "manifest.csv"), ("review", info / "reviews.csv"))
        for folder in (info, root)
        if folder.is_dir()
        for path in visible(folder)
        if path.stem.casefold() == read.stem and path.suffix != ".dvc" and path.is_file()
        if not (read.exists() and path.samefile(read))
    ]
    columns = [name for name in SET_BY_FOLDERS if name in manifest]
    if columns:
        lines.append(
            f"manifest.csv: {listed(columns)} is ignored; class and split come from the folders "
            "and the block split of params.yaml"
        )
    return lines


def with_image_paths(table: pd.DataFrame, paths: Collection[str], name: str) -> pd.DataFrame:
    """Return ``table``, read from a file called ``name``, with its paths spelled as in ``paths``.

    Backslashes, a leading "./" and another Unicode form ("é" as one character or as two) still
    match.

    Raises:
        UserError: two rows name the same path.
    """
    spellings = {_normalised(path): path for path in paths}
    exact = set(paths)
    found = [
        path if path in exact else spellings.get(_normalised(path), path) for path in table["path"]
    ]
    table = table.assign(path=found)
    repeated = table.loc[table["path"].duplicated(), "path"]
    if len(repeated):
        raise UserError(
            f"{name}: expected one row per path, but several name "
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
    names = [name for name in manifest if name not in (*RESERVED, *SET_BY_FOLDERS)]
    values = images[["path"]].merge(manifest[["path", *names]], on="path", how="left").fillna("")
    grouping = [name for name in names if 2 <= values[name].nunique() <= MAX_VALUES]
    return values[grouping].assign(id=images["id"].to_numpy())[["id", *grouping]]
