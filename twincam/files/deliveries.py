"""The table of deliveries: each evaluated image, and those of other sources, in each delivery."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from twincam.files.tables import read_logits

if TYPE_CHECKING:
    import pandas as pd

AS_IS = "as is"
"""The delivery of the untouched image."""

EXTERNAL = "external"
"""The split of the images of other sources."""

COLUMNS = ("id", "path", "split", "source", "label", "delivery")
"""The columns before those called ``logit_<class>``."""


def read_deliveries(path: Path) -> pd.DataFrame:
    """Return ``data/deliveries.csv``: `COLUMNS` and the logits, a row for each image and delivery.

    Raises:
        UserError: a logit is not a finite number.
    """
    return read_logits(path)


def untouched_external(deliveries: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the untouched images of other sources."""
    return deliveries[(deliveries["split"] == EXTERNAL) & (deliveries["delivery"] == AS_IS)]
