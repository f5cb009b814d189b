"""What a stage costs: seconds, peak memory and the slowest functions, where someone asks.

``make profile`` sets the environment variable `FOLDER`; no tracked file is written.
"""

import json
import os
import re
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from twincam.files.errors import UserError

FOLDER = "TWINCAM_PROFILE"
"""Environment variable that names the folder to write profiles to."""

SLOWEST = 5

BUILT_IN = re.compile(r"<(?:built-in )?method '?([\w.]+)'?.*>")
"""How a profile names what is not written in Python."""


@contextmanager
def profiled(stage: str) -> Iterator[None]:
    """Write what the block costs to ``<stage>.json`` and ``<stage>.prof`` in `FOLDER`, if set."""
    if not (name := os.environ.get(FOLDER)):
        yield
        return
    import cProfile

    folder = Path(name)
    folder.mkdir(parents=True, exist_ok=True)
    profile, started, used = cProfile.Profile(), time.monotonic(), _cpu_seconds()
    try:
        with profile:
            yield
    finally:
        cost = {
            "seconds": time.monotonic() - started,
            "cpu_seconds": _cpu_seconds() - used,
            "peak_mb": _peak(),
        }
        profile.dump_stats(folder / f"{stage}.prof")
        (folder / f"{stage}.json").write_text(json.dumps(cost))


def _peak() -> float:
    """Return the most memory that this process or a child has held, in MB (10^6 bytes)."""
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return max(resource.getrusage(one).ru_maxrss for one in who) * 1024 / 1e6


def _cpu_seconds() -> float:
    """Return the processor time of this process, its threads and its ended children."""
    return sum(os.times()[:4])


def profile_table(folder: Path) -> str:
    """Return a Markdown table of the stages in ``folder``, the slowest first.

    Functions are ranked by their own seconds, without those of the functions they call; the work of
    other processes and threads is not in them.

    Raises:
        UserError: there are no profiles.
    """
    found = {path.stem: json.loads(path.read_text()) for path in folder.glob("*.json")}
    if not found:
        raise UserError(f"{folder}: expected profiles, found none; run `make profile`")
    columns = ("stage", "seconds", "CPU seconds", "peak MB", "slowest functions, own seconds")
    rows = [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]
    for stage in sorted(found, key=lambda name: -found[name]["seconds"]):
        cost = found[stage]
        slowest = ", ".join(_slowest(folder / f"{stage}.prof"))
        figures = f"{cost['seconds']:.1f} | {cost['cpu_seconds']:.1f} | {cost['peak_mb']:.0f}"
        rows.append(f"| {stage} | {figures} | {slowest} |")
    seconds, used = (
        sum(cost[name] for cost in found.values()) for name in ("seconds", "cpu_seconds")
    )
    return "\n".join([*rows, f"| all | {seconds:.1f} | {used:.1f} | | |"])


def _slowest(path: Path) -> list[str]:
    import pstats

    functions = pstats.Stats(str(path)).get_stats_profile().func_profiles
    ranked = sorted(functions.items(), key=lambda item: -item[1].tottime)[:SLOWEST]
    names = [BUILT_IN.sub(r"\1", name) for name, _ in ranked]
    return [f"{name} {cost.tottime:.1f}" for name, (_, cost) in zip(names, ranked, strict=True)]
