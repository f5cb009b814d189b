"""How far every evaluated and training image is from the training images."""

import numpy as np
import pandas as pd

from stages.explain.run import Run
from stages.explain.twins import search_in
from twincam.explanations.twins.neighbours import Positions
from twincam.explanations.twins.novelty import SPACE, quantiles


def novelty_table(run: Run, exact_up_to: int) -> pd.DataFrame:
    """Return the distance to the nearest other training image, and its quantile.

    The quantile is the share of training images that lie closer to their own nearest.

    Args:
        run: what is explained.
        exact_up_to: among more training images, the search is approximate.

    Returns:
        A row ``id, split, distance, quantile`` of each evaluated image, then of each training
        image.
    """
    search = search_in(run, SPACE, exact_up_to)
    among = search._replace(compare=search.compare_references)
    evaluated, train = (np.arange(len(rows)) for rows in (run.evaluated, run.train))
    nearest = (search.nearest(evaluated, train, 1), among.nearest(train, train, 1, is_another))
    found, known = (1 - similarity[:, 0] for _, similarity in nearest)
    distances = np.concatenate([found, known])
    rows = run.table.iloc[np.concatenate([run.evaluated, run.train])]
    return rows[["id", "split"]].assign(distance=distances, quantile=quantiles(distances, known))


def is_another(rows: Positions, columns: Positions) -> np.ndarray:
    """Return, bool ``[B,R]``, whether images at ``rows`` are others than those at ``columns``."""
    return np.asarray(_numbers(rows)[:, None] != _numbers(columns))


def _numbers(places: Positions) -> np.ndarray:
    return np.arange(places.start, places.stop) if isinstance(places, slice) else places
