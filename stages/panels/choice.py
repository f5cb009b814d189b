"""Which evaluated images get a panel: a bounded number, however many there are."""

import numpy as np
import pandas as pd

from twincam.determinism import generator
from twincam.statistics.sampling import alternate_classes

MOST_WRONG = 40


def choose_shown(queries: pd.DataFrame, correct_panels: int, seed: int) -> np.ndarray:
    """Return positions of wrong predictions and of a seeded choice of correct ones.

    Of more than `MOST_WRONG` wrong ones, the most confident. The correct ones are sampled with the
    classes alternating; ``queries`` has ``label``, ``predicted`` and ``confidence``.
    """
    wrong = (queries["label"] != queries["predicted"]).to_numpy()
    order = generator(seed, "panels").permutation(len(queries))
    correct = alternate_classes(queries["label"].to_numpy(), order[~wrong[order]])
    worst = np.argsort(-queries["confidence"].to_numpy(float)[wrong], kind="stable")[:MOST_WRONG]
    return np.concatenate([np.flatnonzero(wrong)[np.sort(worst)], correct[:correct_panels]])
