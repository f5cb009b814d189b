"""Counts of the images in the data set and its split."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from stages.split.groups import duplicate_counts


def headlines(details: Mapping[str, Any]) -> dict[str, int]:
    """Return the number of ``images`` that are used."""
    return {"images": details["images"]["used"]}


def summarise(images: pd.DataFrame, near: np.ndarray) -> dict[str, Any]:
    """Count the used images by class and split, by source and by group, and the duplicates."""
    sizes = images["group"].value_counts()
    counts: dict[str, Any] = {
        "classes": {
            label: mine["split"].value_counts().to_dict() for label, mine in images.groupby("label")
        },
        "duplicates": duplicate_counts(images, near),
        "groups": {"count": len(sizes), "largest": int(sizes.max())},
    }
    if (images["source"] != "").any():
        counts["sources"] = images["source"].value_counts().to_dict()
    return counts
