"""Few of many, drawn by seed so that every class has its turn."""

import numpy as np
import pandas as pd

from twincam.determinism import generator


def turns(labels: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Return, ``[M]``, how many of the same class come earlier in ``order``.

    Args:
        labels: of all images, ``[N]``.
        order: positions among them, ``[M]``.
    """
    kind = pd.Series(labels[order])
    return np.asarray(kind.groupby(kind).cumcount())


def in_turn(labels: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Return ``order`` rearranged: the first of every class, then the second, classes sorted.

    Args:
        labels: of all images, ``[N]``.
        order: positions among them, ``[M]``; within a class it is kept.
    """
    _, kind = np.unique(labels[order], return_inverse=True)
    return np.asarray(order[np.lexsort((kind, turns(labels, order)))])


def draw_in_turn(labels: np.ndarray, most: int, seed: int, *names: object) -> np.ndarray:
    """Return positions, sorted, of at most ``most`` images of ``labels`` ``[N]``, classes in turn.

    ``names`` say which draw it is.
    """
    order = generator(seed, *names).permutation(len(labels))
    return np.sort(in_turn(labels, order)[:most])
