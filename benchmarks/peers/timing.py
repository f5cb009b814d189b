"""Time calls in turn, so that a busy machine slows all of them alike, and print their ratios."""

import time
from collections.abc import Callable, Mapping

import numpy as np

Calls = Mapping[str, Callable[[], object]]


def in_turn(calls: Calls, rounds: int) -> dict[str, np.ndarray]:
    """Return the seconds ``[rounds]`` of each call, after one that is not counted."""
    for call in calls.values():
        call()
    times = [[seconds(call) for call in calls.values()] for _ in range(rounds)]
    return dict(zip(calls, np.array(times).T, strict=True))


def seconds(call: Callable[[], object]) -> float:
    """Return how long a call takes."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def print_times(
    what: str, times: Mapping[str, np.ndarray], reference: str, items: int = 1, item: str = "a call"
) -> None:
    """Print a Markdown table of milliseconds an item, and of ratios to ``reference`` by round.

    Args:
        what: the heading of the first column.
        times: seconds ``[rounds]`` by name.
        reference: one of these names.
        items: processed in each call.
        item: the word for one of them.
    """
    print(f"\n| {what} | ms {item} | times “{reference}” (quartiles) |\n|---|---|---|")
    for name, taken in times.items():
        low, middle, high = np.quantile(taken / times[reference], (0.25, 0.5, 0.75))
        each = 1e3 * np.median(taken) / items
        print(f"| {name} | {each:.2f} | {middle:.3f} ({low:.3f}–{high:.3f}) |", flush=True)
