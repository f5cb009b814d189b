"""Where an image comes from, as its path tells."""

import re

import numpy as np
import pandas as pd

from twincam.files.errors import UserError


def with_sources(images: pd.DataFrame, pattern: re.Pattern[str] | None) -> pd.DataFrame:
    """Return ``images`` with the sources that ``pattern`` finds wherever there is none yet.

    Args:
        images: columns path and source ("" for none).
        pattern: searched in each path; its first group, or the whole match where it has no group,
            is the source. A path without a match has none. None looks for nothing.

    Raises:
        UserError: the pattern finds no source at all.
    """
    if pattern is None:
        return images
    matches = map(pattern.search, images["path"])
    group = min(pattern.groups, 1)
    found = [(match[group] or "") if match else "" for match in matches]
    if not any(found):
        raise UserError(
            f"data.source_pattern {pattern.pattern!r} finds no source in any of {len(images)} "
            f"paths, {images['path'].iloc[0]!r} for one; correct it, or set it to null"
        )
    return images.assign(source=np.where(images["source"] == "", found, images["source"]))
