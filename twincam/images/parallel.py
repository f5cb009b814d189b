"""Process many images in parallel, with the results in order."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")

R = TypeVar("R")


def in_order(
    function: Callable[[T], R], items: Sequence[T], title: str = "", threads: int | None = None
) -> Iterator[R]:
    """Yield ``function(item)`` for each item in order, computed by several threads.

    Only a few results are held at a time. The threads end when the iteration stops, or on Ctrl-C.

    Args:
        function: of an item.
        items: of any kind.
        title: of the progress bar, which appears on standard error if it is a terminal; "" for no
            bar.
        threads: their number; by default one per processor.
    """
    workers = threads or os.cpu_count() or 1
    waiting: deque[Future[R]] = deque()
    pool = ThreadPoolExecutor(workers)
    try:
        with tqdm(
            total=len(items), desc=title, unit="image", disable=None if title else True
        ) as bar:
            for position, item in enumerate(items, start=1):
                waiting.append(pool.submit(function, item))
                while len(waiting) >= 4 * workers or (waiting and position == len(items)):
                    yield waiting.popleft().result()
                    bar.update()
    finally:
        pool.shutdown(cancel_futures=True)
