"""Judge the deliveries as they arrive, a few images at a time, so that memory stays small."""

from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np

from stages.stability.pictures import LeftOut, Picture
from twincam.models.forward import logits_of
from twincam.models.network import Network

AT_ONCE = 4
"""Images classified together, each with all its deliveries."""

Arrival = tuple[Picture, np.ndarray | LeftOut]


def judge(
    network: Network, arrivals: Iterable[Arrival]
) -> tuple[list[Picture], np.ndarray, list[LeftOut]]:
    """Classify every delivery of every picture that arrives.

    Args:
        network: in evaluation mode, on `twincam.models.network.device`.
        arrivals: each picture with its deliveries, bytes ``[D,S,S,3]``, or why there are none.

    Returns:
        The N pictures that were judged, their logits ``[N*D,K]``, and those skipped.
    """
    judged: list[Picture] = []
    left_out: list[LeftOut] = []
    logits = [np.zeros((0, len(network.classes)), np.float32)]
    for chunk in _chunks(iter(arrivals)):
        good = []
        for picture, found in chunk:
            if isinstance(found, LeftOut):
                left_out.append(found)
            else:
                judged.append(picture)
                good.append(found)
        if good:
            logits.append(logits_of(network, np.concatenate(good)))
    return judged, np.concatenate(logits), left_out


def _chunks(arrivals: Iterator[Arrival]) -> Iterator[list[Arrival]]:
    while chunk := list(islice(arrivals, AT_ONCE)):
        yield chunk
