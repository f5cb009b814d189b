"""Which evaluated images get a panel."""

import numpy as np
import pandas as pd

from twincam.determinism import generator
from twincam.statistics.sampling import alternate_classes


def choose_shown(queries: pd.DataFrame, correct_panels: int, seed: int) -> np.ndarray:
    """Return positions of all wrong predictions and of a seeded choice of correct ones.

    The correct ones are sampled with the classes alternating; ``queries`` has ``label`` and
    ``predicted``.
    """
    wrong = (queries["label"] != queries["predicted"]).to_numpy()
    order = generator(seed, "panels").permutation(len(queries))
    correct = alternate_classes(queries["label"].to_numpy(), order[~wrong[order]])
    return np.concatenate([np.flatnonzero(wrong), correct[:correct_panels]])
