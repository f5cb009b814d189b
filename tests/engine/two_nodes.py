"""Run as ``python -m tests.engine.two_nodes FOLDER`` on a cluster of two nodes."""

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


def main(folder: Path) -> None:
    """Print the numbers in the order in which they come back, and the nodes that had a part."""
    connect()
    import ray

    while len(ray.nodes()) < 2:
        time.sleep(0.2)
    task = partial(address_of_node, folder)
    found = list(map_in_order(task, range(12), RUN, "test"))
    print([number for number, _ in found], "on", sorted({address for _, address in found}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
