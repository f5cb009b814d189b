"""The logits of all deliveries of images of the data set, which are read from their files."""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from twincam.deliveries import DELIVERIES, own_deliveries
from twincam.images.parallel import in_order
from twincam.images.params import Prepare
from twincam.models.forward import logits_of
from twincam.models.network import Network

AT_ONCE = 4
"""Images per batch, each with all its deliveries."""


class Originals(NamedTuple):
    """The files of the images of the data set, and how they are read.

    ``files`` and ``sha256`` are of all images, in the order of ``data/split.csv``; ``threads``
    prepare the deliveries (None: one a processor).
    """

    files: Sequence[Path]
    sha256: Sequence[str]
    settings: Prepare
    max_pixels: int
    threads: int | None


def delivered_logits(network: Network, originals: Originals, rows: np.ndarray) -> np.ndarray:
    """Return the logits ``[N,D,K]`` (float32) of the D `DELIVERIES` of the images at ``rows``.

    Args:
        network: in evaluation mode.
        originals: of all images.
        rows: ``[N]``; a few images are held at a time.

    Raises:
        UserError: a file changed since it was split.
    """

    def send(row: int) -> np.ndarray:
        settings, max_pixels = originals.settings, originals.max_pixels
        return own_deliveries(originals.files[row], originals.sha256[row], settings, max_pixels)

    squares = in_order(send, rows.tolist(), threads=originals.threads)
    found = [np.zeros((0, len(network.classes)), np.float32)]
    while chunk := list(islice(squares, AT_ONCE)):
        found.append(logits_of(network, np.concatenate(chunk)))
    return np.concatenate(found).reshape(len(rows), len(DELIVERIES), len(network.classes))
