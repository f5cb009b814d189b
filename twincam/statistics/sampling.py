"""Balanced samples: a few images, chosen at random, with every class represented equally."""

import numpy as np
import pandas as pd

from twincam.determinism import generator


def in_turn(labels: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Return ``order`` with the classes alternating: the first image of each class, the second …

    Args:
        labels: of all images, ``[N]``.
        order: positions among them, ``[M]``; the order within a class is kept.
    """
    _, kind = np.unique(labels[order], return_inverse=True)
    turn = pd.Series(kind).groupby(kind).cumcount().to_numpy()
    return np.asarray(order[np.lexsort((kind, turn))])


def draw_in_turn(labels: np.ndarray, most: int, seed: int, *names: object) -> np.ndarray:
    """Return the sorted positions of at most ``most`` images, balanced over ``labels`` ``[N]``.

    ``names`` name this random choice.
    """
    order = generator(seed, *names).permutation(len(labels))
    return np.sort(in_turn(labels, order)[:most])
