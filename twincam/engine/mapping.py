"""Apply a function to many items, in this process or on a Ray cluster, with the results in order.

Both engines give the same results, byte for byte, on processors of one kind.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from tqdm import tqdm

from twincam.determinism import Run

T = TypeVar("T")

R = TypeVar("R")


def map_in_order(
    function: Callable[[T], R],
    items: Sequence[T],
    run: Run,
    title: str,
    *,
    network: bool = True,
) -> Iterator[R]:
    """Yield ``function(item)`` for each item in order; a few results are held at a time.

    With ``run.engine`` local, a plain loop; with ray, each item is a task of its own, which is
    repeated where its worker dies.

    Args:
        function: for Ray, one that can be pickled, with whatever is bound to it; paths are relative
            to the folder of this process, on a file system that all nodes share.
        items: what a task gets: small, such as rows of an array that it reads itself.
        run: the engine, and the threads of each task.
        title: of the progress bar, which appears on standard error if it is a terminal.
        network: whether a task runs a network. It is then given ``run.threads`` processors, and a
            GPU if the cluster has any; otherwise one processor.

    Raises:
        UserError: what ``function`` raised; Ray is not installed or cannot be reached; or the
            cluster has no node for such a task.
    """
    if run.engine == "ray":
        from twincam.engine.cluster import remote_results

        results = remote_results(function, items, run.threads if network else 1, network)
    else:
        results = map(function, items)
    yield from tqdm(results, title, total=len(items), disable=None)
