"""The source of an image, read from its path."""

import re

import numpy as np
import pandas as pd

from twincam.files.errors import UserError


def single_sources(images: pd.DataFrame) -> dict[str, str]:
    """Return the classes whose images all come from one named source, and the source.

    Args:
        images: columns label and source ("" if unknown).
    """
    return {
        str(label): own.iloc[0]
        for label, own in images.groupby("label")["source"]
        if own.iloc[0] and own.nunique() == 1
    }


def with_sources(images: pd.DataFrame, pattern: re.Pattern[str] | None) -> pd.DataFrame:
    """Return ``images`` with the sources that ``pattern`` finds, where they have none yet.

    Args:
        images: columns path and source ("" if unknown).
        pattern: searched in each path; its first group, or the whole match if it has no group, is
            the source, "" without a match. None leaves ``images`` as they are.

    Raises:
        UserError: the pattern finds no source in any path.
    """
    if pattern is None:
        return images
    matches = map(pattern.search, images["path"])
    group = min(pattern.groups, 1)
    found = [(match[group] or "") if match else "" for match in matches]
    if not any(found):
        raise UserError(
            f"data.source_pattern {pattern.pattern!r} finds no source in any of {len(images)} "
            f"paths, such as {images['path'].iloc[0]!r}; correct it, or set it to null"
        )
    return images.assign(source=np.where(images["source"] == "", found, images["source"]))
