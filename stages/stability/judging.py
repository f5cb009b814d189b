"""Deliver pictures and classify what arrives, a few images at a time, to limit memory."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from stages.stability.pictures import Picture, Skipped
from twincam.determinism import Run
from twincam.engine.mapping import map_in_order
from twincam.images.parallel import in_order
from twincam.models.forward import logits_of
from twincam.models.network import Network
from twincam.models.runtimes import loaded

AT_ONCE = 4
"""Images per batch, each with all its deliveries."""

IN_A_TASK = 16 * AT_ONCE
"""Images per task; its batches are those of all images together."""

Arrival = tuple[Picture, np.ndarray | Skipped]

Send = Callable[[Picture], np.ndarray | Skipped]


class Classified(NamedTuple):
    """The N pictures that were classified, their logits ``[N*D,K]``, and those skipped."""

    pictures: list[Picture]
    logits: np.ndarray
    skipped: list[Skipped]


def deliver_and_classify(
    model: Path, run: Run, send: Send, pictures: Sequence[Picture]
) -> Classified:
    """Classify every delivery of every picture.

    Args:
        model: the classifier's file.
        run: engine, threads and runtime.
        send: returns a picture's deliveries, bytes ``[D,S,S,3]``, or why there are none.
        pictures: in any number.
    """
    tasks = [pictures[start : start + IN_A_TASK] for start in range(0, len(pictures), IN_A_TASK)]
    found = map_in_order(partial(_one_task, model, run, send), tasks, run, "stability")
    none = Classified([], np.zeros((0, len(loaded(model, run).classes)), np.float32), [])
    classified, logits, skipped = zip(none, *found, strict=True)
    return Classified(
        list(chain.from_iterable(classified)),
        np.concatenate(logits),
        list(chain.from_iterable(skipped)),
    )


def _one_task(model: Path, run: Run, send: Send, pictures: Sequence[Picture]) -> Classified:
    threads = run.threads if run.engine == "ray" else None
    arrivals = zip(pictures, in_order(send, pictures, threads=threads), strict=True)
    return classify(loaded(model, run), arrivals)


def classify(network: Network, arrivals: Iterable[Arrival]) -> Classified:
    """Classify every delivery of every picture that arrives.

    Args:
        network: in evaluation mode, on `twincam.models.network.device`.
        arrivals: each picture with its deliveries, bytes ``[D,S,S,3]``, or why there are none.
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
    return Classified(classified, np.concatenate(logits), skipped)


def _chunks(arrivals: Iterator[Arrival]) -> Iterator[list[Arrival]]:
    while chunk := list(islice(arrivals, AT_ONCE)):
        yield chunk
