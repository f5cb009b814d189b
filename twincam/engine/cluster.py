"""Tasks on a Ray cluster; Ray is imported here alone, and only where `run.engine` is ray."""

import logging
import os
import pickle
import signal
import socket
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from twincam.files.errors import UserError

if TYPE_CHECKING:
    from ray import ObjectRef
    from ray.exceptions import RayError

ADDRESS = "RAY_ADDRESS"
"""Environment variable with the cluster's address; without it, Ray starts on this machine alone."""

AHEAD = 2
"""Tasks submitted for each that the cluster can run at once."""

RETRIES = 3
"""How often a task is repeated because its worker died."""

PASSED_ON = (UserError, OSError, MemoryError)
"""What a task raises is raised here as it is; anything else is a fault of the code."""


def connect() -> None:
    """Connect to the cluster at `ADDRESS`, or start Ray on this machine, once in each process.

    Ray reports no usage statistics, starts no dashboard, and prints no errors of tasks whose
    results nobody waits for any longer.

    Raises:
        UserError: Ray is not installed, or the cluster cannot be reached.
    """
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_IGNORE_UNHANDLED_ERRORS": "1"}
    try:
        import ray
    except ImportError:
        raise UserError(
            "run.engine is 'ray', but Ray is not installed; run `pip install -r "
            "requirements-ray.txt`, or set run.engine to local"
        ) from None
    if ray.is_initialized():
        return
    address = os.environ.get(ADDRESS) or "local"
    on_sigterm = signal.getsignal(signal.SIGTERM)
    try:
        _require_answer(address)
        ray.init(address=address, include_dashboard=False, logging_level=logging.ERROR)
    except (OSError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"no Ray cluster could be reached at {address} ({reason}); start one with `ray start` "
            f"and set {ADDRESS} (and RAY_AUTH_MODE=token if it has a token), or unset {ADDRESS} to "
            "run on this machine alone"
        ) from None
    signal.signal(signal.SIGTERM, on_sigterm)


def _require_answer(address: str) -> None:
    """Raise OSError if nothing listens at ``host:port``, where Ray would try for minutes."""
    host, _, port = address.rpartition(":")
    if port.isdigit() and "/" not in host:
        socket.create_connection((host, int(port)), timeout=10).close()


def remote_results(
    function: Callable[[Any], Any], items: Iterable[Any], cpus: int, network: bool
) -> Iterator[Any]:
    """Yield ``function(item)`` for each item in order, computed by tasks of ``cpus`` processors.

    ``function``, with whatever is bound to it, is stored once in the object store and read once by
    each worker. At most `AHEAD` times as many tasks as can run at once are submitted, so that
    results waiting for their turn fill no memory. What still waits when the iteration stops ends
    with this process: cancelling a task just as it ends makes Ray abort the process.

    Args:
        function: as for `twincam.engine.mapping.map_in_order`.
        items: of the tasks.
        cpus: processors of a task.
        network: whether a task takes a GPU if the cluster has any.

    Raises:
        UserError: as for `twincam.engine.mapping.map_in_order`.
    """
    connect()
    import ray

    gpus = gpus_of_a_task() if network else 0
    _require_room(cpus, gpus)
    task = ray.remote(_call).options(num_cpus=cpus, num_gpus=gpus, max_retries=RETRIES)
    stored, folder = ray.put(function), os.getcwd()
    waiting: deque[ObjectRef[bytes]] = deque()
    for item in items:
        waiting.append(task.remote(folder, [stored], item))
        while len(waiting) >= AHEAD * _slots(cpus, gpus):
            yield _value(waiting.popleft())
    while waiting:
        yield _value(waiting.popleft())


def _call(folder: str, stored: "list[ObjectRef[Any]]", item: object) -> bytes:
    """Return the pickled result: arrays would be read-only and occupy the object store."""
    os.chdir(folder)
    return pickle.dumps(_fetched(stored[0])(item))


@lru_cache(maxsize=1)
def _fetched(function: "ObjectRef[Any]") -> Callable[[Any], Any]:
    import ray

    return ray.get(function)


def _value(result: "ObjectRef[bytes]") -> Any:
    """Return the result of a task; raise what it raised, as it would be raised in this process."""
    import ray
    from ray.exceptions import RayError, RayTaskError

    try:
        return pickle.loads(ray.get(result))
    except RayTaskError as error:
        if isinstance(error.cause, PASSED_ON):
            raise error.cause from None
        raise
    except RayError as error:
        raise gave_up("a task", error) from None


def gpus_of_a_task() -> int:
    """Return how many GPUs a task takes that runs a network: 1 if the cluster has any."""
    import ray

    return int(ray.cluster_resources().get("GPU", 0) >= 1)


def gave_up(what: str, error: "RayError") -> UserError:
    """Return the error for tasks whose workers died each time; ``error`` is the last reason."""
    reason = str(error).strip().partition("\n")[0]
    return UserError(
        f"{what} failed on the Ray cluster {RETRIES + 1} times ({reason}); see the logs of Ray on "
        "the nodes, give them more memory or lower run.threads, and run again"
    )


def _require_room(cpus: int, gpus: int) -> None:
    """Raise UserError unless a node has the processors and GPUs of one task."""
    import ray

    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    if not any(node.get("CPU", 0) >= cpus and node.get("GPU", 0) >= gpus for node in nodes):
        most = max((int(node.get("CPU", 0)) for node in nodes), default=0)
        also = " and a GPU" if gpus else ""
        raise UserError(
            f"a task takes {cpus} processors{also}, but the largest node of the Ray cluster has "
            f"{most} processors; lower run.threads or add a larger node"
        )


def _slots(cpus: int, gpus: int) -> int:
    """Return how many tasks the cluster, as it is now, can run at once; at least 1."""
    import ray

    there = ray.cluster_resources()
    room = there.get("CPU", 0) // cpus
    return max(1, int(min(room, there.get("GPU", 0)) if gpus else room))
