"""Tasks of a Ray cluster that run at the same time and know how to reach each other."""

import os
import pickle
import socket
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from twincam.determinism import Run
from twincam.engine.cluster import PASSED_ON, RETRIES, connect, gave_up, gpus_of_a_task
from twincam.files.errors import UserError

if TYPE_CHECKING:
    from ray import ObjectRef
    from ray.exceptions import RayError

WAIT = 60
"""Seconds in which the cluster must have room for all tasks."""

GRACE = 10
"""Seconds in which the other tasks may say why they failed, once one has."""


class Member(NamedTuple):
    """One of ``size`` tasks that run at the same time.

    Attributes:
        rank: its number, from 0.
        size: how many there are.
        meeting: ``host:port`` on the node of number 0, where nothing listens yet.
        interface: by which the other nodes reach this one; empty if it has another address there.
    """

    rank: int
    size: int
    meeting: str
    interface: str


def run_group(function: Callable[[Member], Any], size: int, run: Run) -> Any:
    """Return what ``function`` returns in number 0 of ``size`` tasks, which all run it at once.

    All start or none, on as many nodes as there are. Each has a process of its own, ``run.threads``
    processors, and a GPU if the cluster has any. If one fails, all are stopped. If its worker has
    died, or it has lost another, all start again, `RETRIES` times.

    Args:
        function: as for `twincam.engine.mapping.map_in_order`.
        size: at least 1.
        run: the threads of each task.

    Raises:
        UserError: what ``function`` raised; the cluster cannot be reached or has no room for all;
            or workers died each time.
    """
    connect()
    import ray
    from ray.exceptions import RayTaskError

    gpus = gpus_of_a_task()
    stored = ray.put(function)
    for _ in range(RETRIES + 1):
        result, failures = _attempt(stored, size, run.threads, gpus)
        if not failures:
            return pickle.loads(result)
        for failure in failures:
            cause = getattr(failure, "cause", None)
            if isinstance(cause, PASSED_ON):
                raise cause from None
            if isinstance(failure, RayTaskError) and not isinstance(cause, RuntimeError):
                raise failure
    failures.sort(key=lambda failure: isinstance(failure, RayTaskError))
    if isinstance(failures[0], RayTaskError):
        raise failures[0]
    raise gave_up(f"{size} tasks that belong together", failures[0])


def _attempt(
    function: "ObjectRef[Any]", size: int, cpus: int, gpus: int
) -> "tuple[bytes, list[RayError]]":
    """Start all tasks; return the first one's result, or why some failed."""
    import ray
    from ray.exceptions import RayError
    from ray.util.placement_group import placement_group, remove_placement_group
    from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

    places = placement_group([{"CPU": cpus, "GPU": gpus}] * size, strategy="SPREAD")

    def start(
        call: Callable[..., Any], rank: int, *arguments: object, max_calls: int = 1
    ) -> "ObjectRef[Any]":
        task = ray.remote(
            num_cpus=cpus,
            num_gpus=gpus,
            max_calls=max_calls,
            max_retries=0,
            scheduling_strategy=PlacementGroupSchedulingStrategy(places, rank),
        )(call)
        return task.remote(*arguments)

    try:
        if not places.wait(WAIT):
            raise _no_room(size, cpus, gpus)
        meeting = ray.get(start(_free_address, 0, max_calls=0))
        common = (os.getcwd(), [function], size, meeting)
        return _outcome([start(_call, rank, rank, *common) for rank in range(size)])
    except RayError as error:
        return b"", [error]
    finally:
        remove_placement_group(places)


def _no_room(size: int, cpus: int, gpus: int) -> UserError:
    import ray

    there = ray.cluster_resources()
    each = f"{cpus} processors{' and a GPU' if gpus else ''}"
    return UserError(
        f"{size} tasks of {each} must run at the same time, but in {WAIT} seconds the Ray cluster, "
        f"which has {there.get('CPU', 0):.0f} processors and {there.get('GPU', 0):.0f} GPUs in "
        "all, had no room for them; lower train.workers or run.threads, or add nodes"
    )


def _free_address() -> str:
    import ray

    host = ray.util.get_node_ip_address()
    with socket.create_server((host, 0)) as server:
        return f"{host}:{server.getsockname()[1]}"


def _call(
    rank: int, folder: str, function: "list[ObjectRef[Any]]", size: int, meeting: str
) -> bytes:
    """Return the pickled result of number 0, and nothing of the others."""
    import ray

    os.chdir(folder)
    result = ray.get(function[0])(Member(rank, size, meeting, _interface()))
    return b"" if rank else pickle.dumps(result)


def _interface() -> str:
    """Return the network interface that has this node's address, or nothing."""
    import psutil
    import ray

    own = ray.util.get_node_ip_address()
    interfaces = psutil.net_if_addrs().items()
    return next((name for name, found in interfaces if own in {one.address for one in found}), "")


def _outcome(tasks: "Sequence[ObjectRef[bytes]]") -> "tuple[bytes, list[RayError]]":
    """Wait until all have ended, or one has failed and the others had time to say why."""
    import ray

    waiting = list(tasks)
    while waiting:
        ended, waiting = ray.wait(waiting)
        if failures := _failures(ended):
            if waiting:
                ended, _ = ray.wait(waiting, num_returns=len(waiting), timeout=GRACE)
                failures += _failures(ended)
            return b"", failures
    return ray.get(tasks[0]), []


def _failures(tasks: "Sequence[ObjectRef[bytes]]") -> "list[RayError]":
    import ray
    from ray.exceptions import RayError

    failures = []
    for task in tasks:
        try:
            ray.get(task)
        except RayError as error:
            failures.append(error)
    return failures
