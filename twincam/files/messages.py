"""Warnings on standard error."""

import sys
from collections.abc import Sequence

SHOWN = 20

INDEPENDENT = (
    "independent training images (near duplicates count once: split.near_duplicate_distance)"
)


def warn(stage: str, *lines: str) -> None:
    """Print ``lines`` on standard error: the first `SHOWN`, and the number of the others."""
    more = len(lines) - SHOWN
    tail = (
        [f"and {more} more, all in reports/details/{stage}.json when this stage succeeds"]
        if more > 0
        else []
    )
    for line in [*lines[:SHOWN], *tail]:
        print(f"{stage}: {line}", file=sys.stderr)


def skipped(stage: str, reason: str) -> dict[str, str]:
    """Warn that ``stage`` is skipped because of ``reason``; return the details to write."""
    warn(stage, f"skipped: {reason}")
    return {"skipped": reason}


def warn_unless_class(stage: str, real_class: str | None, classes: Sequence[str]) -> None:
    """Warn if the class of genuine images is not one of ``classes``; None means there is none."""
    if real_class is None or real_class in classes:
        return
    more = f" and {len(classes) - SHOWN} more" if len(classes) > SHOWN else ""
    warn(
        stage,
        f"real_class is {real_class!r}, but the classes are {', '.join(map(repr, classes[:SHOWN]))}"
        f"{more}, so none is treated as genuine; set real_class in params.yaml to the class of "
        "genuine images, or to null if there is none",
    )
