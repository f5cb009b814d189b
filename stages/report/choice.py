"""Which of many evaluated images the gallery shows."""

import numpy as np
import pandas as pd

MOST = 2000
"""Images in the gallery, at most."""


def choose_shown(predictions: pd.DataFrame, most: int = MOST) -> np.ndarray:
    """Return the positions of the images in the gallery, in their order.

    All of them up to ``most``. Of more, the wrong ones, then the unsure ones, then the others; each
    of these in the order of ids, which are hashes of paths, so that a part is a sample.

    Args:
        predictions: ``id, label, predicted, unsure``.
        most: at least 1.
    """
    wrong = (predictions["label"] != predictions["predicted"]).to_numpy()
    order = np.lexsort((predictions["id"], ~predictions["unsure"].to_numpy(bool), ~wrong))
    return np.sort(order[:most])


def choice_sentence(predictions: pd.DataFrame, shown: np.ndarray) -> str:
    """Return in words which of the evaluated images the positions ``shown`` are."""
    if len(shown) == len(predictions):
        return f"All {len(predictions)} evaluated images."
    wrong = predictions["label"] != predictions["predicted"]
    doubted = wrong | predictions["unsure"].astype(bool)
    left = int(doubted.sum()) - int(doubted.iloc[shown].sum())
    which = (
        f"the wrong ones first, then the unsure ones, of which {left} are left out"
        if left
        else "every one that is wrong or unsure, and a sample of the others"
    )
    return f"{len(shown)} of {len(predictions)} evaluated images: {which}."
