"""Warnings on standard error."""

import sys

SHOWN = 20

INDEPENDENT = (
    "independent training images (near duplicates count once: split.near_duplicate_distance)"
)


def warn(stage: str, *lines: str) -> None:
    """Say each of ``lines`` on standard error; of many, the first `SHOWN` and how many follow."""
    more = len(lines) - SHOWN
    tail = (
        [f"and {more} more, all in reports/{stage}.json when this stage succeeds"]
        if more > 0
        else []
    )
    for line in [*lines[:SHOWN], *tail]:
        print(f"{stage}: {line}", file=sys.stderr)
