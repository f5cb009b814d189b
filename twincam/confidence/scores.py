"""The score of an image: the mean of its logits over its deliveries.

Test-time augmentation by the deliveries of `twincam.deliveries`, all of the same weight; Simonyan
and Zisserman (ICLR 2015) average over crops likewise.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from twincam.files.deliveries import AS_IS
from twincam.files.tables import assign_logits, logit_columns

if TYPE_CHECKING:
    import pandas as pd


def mean_logits(delivered: np.ndarray) -> np.ndarray:
    """Return scores ``[…,K]`` (float64) from the logits of the deliveries ``[…,D,K]``."""
    return np.asarray(delivered.mean(axis=-2, dtype=np.float64))


def untouched(delivered: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the images as they are, without the column ``delivery``."""
    own = delivered[delivered["delivery"] == AS_IS]
    return own.drop(columns="delivery").reset_index(drop=True)


def scores_of(delivered: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """Return the scores, in the form and order of `untouched`.

    Args:
        delivered: ``delivery, logit_<class>…`` and other columns, a row for each image and
            delivery: all of one image, the first as it is, then all of the next.
        classes: the K labels.
    """
    own = untouched(delivered)
    if own.empty:
        return own
    logits = delivered[logit_columns(classes)].to_numpy(float)
    means = mean_logits(logits.reshape(len(own), -1, len(classes)))
    return assign_logits(own, means, classes)
