"""A pool of processes that ends cleanly when the user interrupts it, or the parent dies."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from threading import Thread

from twincam.files.errors import UserError


def processors() -> int:
    """Return the number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def process_pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Yield a pool of processes; on an interrupt it finishes running tasks and cancels the rest.

    Raises:
        UserError: a process of the pool was killed, as systems do where memory runs out.
    """
    pool = ProcessPoolExecutor(workers, get_context("spawn"), _watch_parent)
    try:
        yield pool
    except BrokenProcessPool:
        raise UserError(
            "a process that renders images was killed, probably for lack of memory; close other "
            "programs and run again"
        ) from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def blocked_signals() -> Iterator[None]:
    """Block interrupts in this block, and for good in the processes started in it."""
    blocked = {signal.SIGINT, signal.SIGTERM}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, blocked)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _watch_parent() -> None:
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
