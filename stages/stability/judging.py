"""Classify the deliveries as they arrive, a few images at a time, to limit memory."""

from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np

from stages.stability.pictures import Picture, Skipped
from twincam.models.forward import logits_of
from twincam.models.network import Network

AT_ONCE = 4
"""Images per batch, each with all its deliveries."""

Arrival = tuple[Picture, np.ndarray | Skipped]


def classify(
    network: Network, arrivals: Iterable[Arrival]
) -> tuple[list[Picture], np.ndarray, list[Skipped]]:
    """Classify every delivery of every picture that arrives.

    Args:
        network: in evaluation mode, on `twincam.models.network.device`.
        arrivals: each picture with its deliveries, bytes ``[D,S,S,3]``, or why there are none.

    Returns:
        The N pictures that were classified, their logits ``[N*D,K]``, and those skipped.
    """
    classified: list[Picture] = []
    skipped: list[Skipped] = []
    logits = [np.zeros((0, len(network.classes)), np.float32)]
    for chunk in _chunks(iter(arrivals)):
        good = []
        for picture, found in chunk:
            if isinstance(found, Skipped):
                skipped.append(found)
            else:
                classified.append(picture)
                good.append(found)
        if good:
            logits.append(logits_of(network, np.concatenate(good)))
    return classified, np.concatenate(logits), skipped


def _chunks(arrivals: Iterator[Arrival]) -> Iterator[list[Arrival]]:
    while chunk := list(islice(arrivals, AT_ONCE)):
        yield chunk
