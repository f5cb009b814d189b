"""Read many image files, by the threads of this process or on a Ray cluster."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain
from typing import TypeVar

from twincam.determinism import Run
from twincam.engine.mapping import map_in_order
from twincam.images.parallel import in_order

T = TypeVar("T")

R = TypeVar("R")

IN_A_TASK = 16
"""Images in a task on Ray: enough that starting the task costs little."""


def map_images(function: Callable[[T], R], items: Sequence[T], run: Run, title: str) -> Iterator[R]:
    """Yield ``function(item)`` for each image in order; ``function`` runs no network.

    With ``run.engine`` local, by one thread per processor; with ray, by tasks of one processor. The
    rest is as for `map_in_order`.
    """
    if run.engine == "local":
        return in_order(function, items, title)
    tasks = [items[start : start + IN_A_TASK] for start in range(0, len(items), IN_A_TASK)]
    results = map_in_order(partial(_each, function), tasks, run, title, network=False)
    return chain.from_iterable(results)


def _each(function: Callable[[T], R], items: Sequence[T]) -> list[R]:
    return [function(item) for item in items]
