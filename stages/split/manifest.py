"""What the optional ``manifest.csv`` knows of the images: group, source, family, and more."""

from pathlib import Path

import pandas as pd

from stages.common.errors import UserError

FACTS = ("group", "source", "family")
KNOWN = ("path", *FACTS, "partner")
MOST_VALUES = 50


def read_manifest(folder: Path) -> pd.DataFrame:
    """Read ``folder/manifest.csv``.

    Returns:
        Columns path, group, source, family and whatever else it has: text, "" where unknown; no
        rows without a manifest.

    Raises:
        UserError: the file is no CSV, has no column ``path``, or names a path twice.
    """
    file = folder / "manifest.csv"
    if not file.exists():
        return pd.DataFrame(columns=["path", *FACTS], dtype=str)
    try:
        table = pd.read_csv(file, dtype=str, keep_default_na=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise UserError(f"{file}: not a CSV in UTF-8 ({str(error).strip()}); mend it") from None
    if "path" not in table:
        raise UserError(
            f"{file}: expected a column 'path' and any of {', '.join(FACTS)}, separated by commas, "
            f"but found {', '.join(map(repr, table.columns))}; correct its first line"
        )
    if table["path"].duplicated().any():
        twice = table.loc[table["path"].duplicated(), "path"]
        raise UserError(
            f"{file}: {len(twice)} rows repeat a path ({twice.iloc[0]!r} for one); leave one each"
        )
    missing = [name for name in FACTS if name not in table]
    return table.assign(**dict.fromkeys(missing, ""))


def unmatched(manifest: pd.DataFrame, images: pd.DataFrame) -> int:
    """Count the rows that name no image.

    Raises:
        UserError: there are rows and none of them names an image.
    """
    missing = ~manifest["path"].isin(images["path"])
    if len(manifest) and missing.all():
        raise UserError(
            f"manifest.csv: none of its {len(manifest)} rows names an image: it says "
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
