"""The logits of all deliveries of images of the data set, which are read from their files."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from twincam.deliveries import DELIVERIES, own_deliveries
from twincam.files.tables import assign_logits
from twincam.images.parallel import in_order
from twincam.images.params import Prepare
from twincam.models.forward import logits_of
from twincam.models.network import Network

if TYPE_CHECKING:
    import pandas as pd

    from twincam.determinism import Run

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


def originals_of(
    split: pd.DataFrame, root: Path, settings: Prepare, max_pixels: int, run: Run
) -> Originals:
    """Return the files of all images of ``split``, below ``root``."""
    files = [root / path for path in split["path"]]
    threads = run.threads if run.engine == "ray" else None
    return Originals(files, split["sha256"].tolist(), settings, max_pixels, threads)


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


def table_of_deliveries(
    images: pd.DataFrame, logits: np.ndarray, classes: Sequence[str]
) -> pd.DataFrame:
    """Return the columns of ``images`` and ``delivery, logit_<class>…``, a row for each delivery.

    Those of an image come one after the other, in the order of `DELIVERIES`.

    Args:
        images: N rows.
        logits: of their deliveries, ``[N,D,K]``.
        classes: the K labels.
    """
    table = images.loc[images.index.repeat(len(DELIVERIES))]
    table = table.assign(delivery=np.tile(DELIVERIES, len(images))).reset_index(drop=True)
    return assign_logits(table, logits.reshape(-1, len(classes)), classes)
