"""Run as ``python -m tests.engine.two_nodes NAME FOLDER`` on a cluster of two nodes."""

import os
import signal
import sys
import time
from functools import partial
from pathlib import Path

from twincam.determinism import Run
from twincam.engine.cluster import connect
from twincam.engine.mapping import map_in_order

RUN = Run(engine="ray", threads=1, runtime="auto")


def address_of_node(folder: Path, number: int) -> tuple[int, str]:
    """Return ``number`` and the node's address; the first to get number 5 is killed."""
    import ray

    time.sleep(0.3)
    if number == 5 and not (folder / "killed").exists():
        (folder / "killed").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number, ray.util.get_node_ip_address()


def many_tasks(folder: Path) -> None:
    """Print the numbers in the order in which they come back, and the nodes that had a part."""
    task = partial(address_of_node, folder)
    found = list(map_in_order(task, range(12), RUN, "test"))
    print([number for number, _ in found], "on", sorted({address for _, address in found}))


def one_training(folder: Path) -> None:
    """Print whether a training divided among both nodes has the losses of one process."""
    from tests.engine import training

    files = training.written(folder / "divided")
    divided = training.by_two(files, training.placed_part)
    alone = training.alone(training.written(folder / "alone"))
    addresses = sorted(path.read_text() for path in files.checkpoint.parent.glob("*.address"))
    print(training.furthest(divided, alone) < 1e-4, "on", addresses)


if __name__ == "__main__":
    connect()
    import ray

    while len(ray.nodes()) < 2:
        time.sleep(0.2)
    call = {"many_tasks": many_tasks, "one_training": one_training}[sys.argv[1]]
    call(Path(sys.argv[2]))
