"""Where images resemble prototypes most: the best cosine and its cell."""

from typing import NamedTuple

import numpy as np


class Matches(NamedTuple):
    """The best cosine of images and prototypes ``[N,P]``, and its cell ``[N,P,2]``."""

    similarity: np.ndarray
    cells: np.ndarray

    def of(self, rows: np.ndarray) -> "Matches":
        """Return the matches of the images at ``rows``."""
        return Matches(self.similarity[rows], self.cells[rows])


def strongest_cells(maps: np.ndarray) -> Matches:
    """Return the maximum of maps ``[N,P,h,w]`` and its cell; of equals the first."""
    flat = maps.reshape(*maps.shape[:2], -1)
    cells = np.stack(np.divmod(flat.argmax(axis=2), maps.shape[3]), axis=2)
    return Matches(flat.max(axis=2), cells)
