"""Balanced samples of images, and folds whose training part has every class."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from twincam.determinism import generator


def turns(labels: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Return, ``[M]``, how many images of the same class come earlier in ``order``.

    Args:
        labels: of all images, ``[N]``.
        order: positions among them, ``[M]``.
    """
    kind = pd.Series(labels[order])
    return np.asarray(kind.groupby(kind).cumcount())


def alternate_classes(labels: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Return ``order`` with the classes alternating: the first image of each, then the second ...

    Args:
        labels: of all images, ``[N]``.
        order: positions among them, ``[M]``; the order within a class is kept.
    """
    _, kind = np.unique(labels[order], return_inverse=True)
    return np.asarray(order[np.lexsort((kind, turns(labels, order)))])


def sample_balanced(labels: np.ndarray, most: int, seed: int, *names: object) -> np.ndarray:
    """Return the sorted positions of at most ``most`` images, balanced over ``labels`` ``[N]``.

    ``names`` identify this random choice.
    """
    order = generator(seed, *names).permutation(len(labels))
    return np.sort(alternate_classes(labels, order)[:most])


def complete_folds(
    divided: Iterable[tuple[np.ndarray, np.ndarray]], labels: np.ndarray
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the folds, training and held-out positions, whose training part has every class.

    Others occur where groups hold several classes.

    Args:
        divided: positions among ``labels``.
        labels: of all images, ``[N]``.
    """
    classes = len(np.unique(labels))
    return [part for part in divided if len(np.unique(labels[part[0]])) == classes]
