"""What full disks, missing rights, narrow limits and kills do to a run of the pipeline.

Used as ``python -m benchmarks.failures [TROUBLE …]``, by root on Linux: it mounts small file
systems. Each stage of a finished tiny run is run again under each trouble; it must end right, with
the same bytes, or in one line, with every earlier output as it was. Then the whole pipeline is run
from nothing and killed again and again; it must end with the same bytes, too.
"""

import argparse
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from bisect import bisect
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import accumulate, cycle, pairwise
from pathlib import Path
from typing import NamedTuple

from dvc.repo import Repo

from benchmarks.runs import ROOT, experiment, run, settings

KILLS = 20
"""Moments, spread over the whole pipeline, at which it is killed."""

SIGNALS = (signal.SIGKILL, signal.SIGTERM)
"""What kills it, in turn."""

NOBODY = 65534
"""The user without rights."""

DISK = "300m"


class Trouble(NamedTuple):
    """A condition under which stages run: a command before theirs, and variables."""

    before: Sequence[str] = ()
    variables: Mapping[str, str] = {}


def limited(limit: str) -> Sequence[str]:
    """Return the command before another that sets a limit of the shell."""
    return ("bash", "-c", f'ulimit {limit}; exec "$@"', "bash")


TROUBLES = {
    "full disk": Trouble(),
    "read-only disk": Trouble(),
    "files of another user": Trouble(("setpriv", "--bounding-set=-all", "--inh-caps=-all")),
    "TMPDIR full": Trouble(),
    "256 open files, 1 processor, no home, no UTF-8, no network at once": Trouble(
        (*limited("-n 256"), "taskset", "--cpu-list", "0", "unshare", "--net"),
        {
            "HOME": "/nowhere",
            "LC_ALL": "POSIX",
            "PYTHONCOERCECLOCALE": "0",
            "PYTHONUTF8": "0",
        },
    ),
    "2 GB of memory": Trouble(limited("-d 2000000")),
    "500 MB of memory": Trouble(limited("-d 500000")),
    "2 GB of address space": Trouble(limited("-v 2000000")),
}


class Stage(NamedTuple):
    """A stage's name, its command and the paths of its outputs."""

    name: str
    command: str
    outputs: Sequence[Path]


class Outcome(NamedTuple):
    """How a command ended: a word for the table, and what it said."""

    kind: str
    said: str


def main() -> None:
    """Print a row for each trouble, then one for the kills."""
    parser = argparse.ArgumentParser(description=__doc__)
    choices = [*TROUBLES, "kills"]
    parser.add_argument("troubles", nargs="*", metavar="TROUBLE", help=", ".join(choices))
    parser.add_argument("--stages", nargs="*", help="those that troubles meet (all)")
    args = parser.parse_args()
    chosen = args.troubles or choices
    with mounted(DISK) as disk:
        project = finished(disk)
        stages = stages_of(project)
        met = [stage for stage in stages if stage.name in (args.stages or [stage.name])]
        expected = {stage.name: digests(project, stage) for stage in stages}
        print("| trouble | tries | right | one line | faults | said |\n|---|---|---|---|---|---|")
        for name in chosen:
            if name in TROUBLES:
                found = {
                    stage.name: attempt(project, stage, name, expected[stage.name]) for stage in met
                }
            else:
                found = killed(project, stages)
            print_row(name, found)


def print_row(name: str, found: Mapping[str, Outcome]) -> None:
    """Print how often what happened, and every fault in full on standard error."""
    kinds = Counter(one.kind for one in found.values())
    faults = {key: one for key, one in found.items() if one.kind not in ("right", "one line")}
    for key, one in faults.items():
        print(f"{name}, {key}: {one.kind}\n{one.said}", file=sys.stderr)
    said = {one.said.partition(": ")[2][:100] for one in found.values() if one.kind == "one line"}
    cells = (name, len(found), kinds["right"], kinds["one line"], len(faults), "; ".join(said))
    print(f"| {' | '.join(map(str, cells))} |", flush=True)


def finished(folder: Path) -> Path:
    """Return a clone of the current commit in ``folder``, in which a tiny pipeline has run."""
    project = folder / "project"
    run(folder, "git", "clone", "--quiet", str(ROOT), str(project))
    (project / "dvc.lock").unlink()
    experiment(project, settings(ROOT / "tests" / "tiny.yaml"))
    return project


def stages_of(project: Path) -> list[Stage]:
    """Return the stages in the order in which they run."""
    with Repo(str(project)) as repo:
        listed = run_order(project)
        found = {stage.name: stage for stage in repo.index.stages if stage.cmd}
        return [
            Stage(name, found[name].cmd, [Path(out.fs_path) for out in found[name].outs])
            for name in listed
        ]


def run_order(project: Path) -> list[str]:
    """Return the names of the stages, each after those that it needs."""
    done = subprocess.run(
        ["dvc", "repro", "--force", "--dry"],
        cwd=project,
        capture_output=True,
        text=True,
        check=True,
    )
    return [line.split("'")[1] for line in done.stdout.splitlines() if "Running stage" in line]


def digests(project: Path, stage: Stage) -> dict[str, str]:
    """Return the sha256 of every file of a stage's outputs."""
    files = [
        file
        for out in stage.outputs
        for file in ([out] if out.is_file() else sorted(out.rglob("*")))
        if file.is_file()
    ]
    return {
        str(file.relative_to(project)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in files
    }


@contextmanager
def mounted(size: str) -> Iterator[Path]:
    """Yield a folder that is a file system in memory of ``size``."""
    with tempfile.TemporaryDirectory() as name:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", name], check=True)
        try:
            yield Path(name)
        finally:
            subprocess.run(["umount", "--lazy", name], check=True)


@contextmanager
def in_trouble(project: Path, name: str) -> Iterator[Mapping[str, str]]:
    """Bring about what `Trouble` cannot say; yield further variables."""
    disk = project.parent
    if name == "full disk":
        filler = disk / "filler"
        with filler.open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(4096))
        yield {}
        filler.unlink()
    elif name == "read-only disk":
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        yield {}
        subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
    elif name == "files of another user":
        owned_by(NOBODY, project)
        yield {}
        owned_by(0, project)
    elif name == "TMPDIR full":
        with mounted("64k") as small:
            yield {"TMPDIR": str(small)}
    else:
        yield {}


def owned_by(user: int, folder: Path) -> None:
    """Give ``folder`` and all in it to ``user``."""
    subprocess.run(["chown", "--recursive", "--no-dereference", str(user), folder], check=True)


def attempt(project: Path, stage: Stage, name: str, expected: Mapping[str, str]) -> Outcome:
    """Run ``stage`` in trouble ``name``; return how it ended."""
    trouble = TROUBLES[name]
    with in_trouble(project, name) as further:
        done = subprocess.run(
            [*trouble.before, "bash", "-c", stage.command],
            cwd=project,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **trouble.variables, **further},
            capture_output=True,
            check=False,
        )
    said = done.stderr.decode(errors="replace")
    outcome = judged(stage, done.returncode, said)
    if digests(project, stage) != expected:
        outcome = Outcome("changed outputs", said)
        subprocess.run(["bash", "-c", stage.command], cwd=project, check=True)
    if left := list(project.rglob(".*.partial")):
        outcome = Outcome(f"left over: {left}", said)
    return outcome


def judged(stage: Stage, status: int, said: str) -> Outcome:
    """Return how a command ended by its status and what it printed."""
    if "Traceback" in said:
        return Outcome("traceback", said)
    if status == 0:
        return Outcome("right", said)
    lines = [line for line in said.splitlines() if line.startswith(f"{stage.name}: ")]
    return Outcome("one line", lines[-1]) if lines else Outcome(f"status {status}", said)


def killed(project: Path, stages: Sequence[Stage]) -> dict[str, Outcome]:
    """Kill the pipeline at `KILLS` moments while it is rebuilt from nothing.

    After each kill every output must be whole or absent, and `dvc repro` goes on from there; the
    last one must end with the same bytes.
    """
    names = [stage.name for stage in stages]
    wanted = results_of(project, stages)
    lengths = seconds_of_stages(project, stages, wanted)
    remove_results(project, stages)
    found: dict[str, Outcome] = {}
    for (place, seconds), number in zip(moments(lengths), cycle(SIGNALS), strict=False):
        status, said = killed_at(project, number, names[place:], seconds)
        half = status != -number and "dvc.lock" in said
        if half:
            (project / "dvc.lock").unlink(missing_ok=True)
            _, said = killed_at(project, number, names[place:], seconds)
        whole = results_of(project, stages).items() <= wanted.items()
        kind = "right" if whole else "half-written"
        if half:
            kind = "dvc.lock half-written by DVC; went on without it"
        elif "Traceback" in said:
            kind = "traceback"
        found[f"{number.name} in {names[place]} after {seconds:.1f} s"] = Outcome(kind, said)
    run(project, "dvc", "repro")
    if results_of(project, stages) != wanted:
        found["at the end"] = Outcome("another result", "")
    return found


def results_of(project: Path, stages: Sequence[Stage]) -> dict[str, str]:
    """Return the sha256 of every file of all outputs."""
    return {key: value for stage in stages for key, value in digests(project, stage).items()}


def seconds_of_stages(
    project: Path, stages: Sequence[Stage], wanted: Mapping[str, str]
) -> list[float]:
    """Run the whole pipeline again, which must end as ``wanted``; return how long stages take."""
    starts = {stage.name: 0.0 for stage in stages}
    with repro(project, "--force") as process:
        for line in process.stdout or ():
            if line.startswith("Running stage"):
                starts[line.split("'")[1]] = time.monotonic()
    if process.returncode or results_of(project, stages) != wanted:
        sys.exit("the pipeline, run again without any trouble, failed or ended otherwise")
    return [end - start for start, end in pairwise([*starts.values(), time.monotonic()])]


def remove_results(project: Path, stages: Sequence[Stage]) -> None:
    """Remove all that DVC knows of earlier runs: outputs, cache and lock file."""
    for path in (project / ".dvc" / "cache", *(out for stage in stages for out in stage.outputs)):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    (project / "dvc.lock").unlink(missing_ok=True)


def moments(lengths: Sequence[float]) -> list[tuple[int, float]]:
    """Return `KILLS` random moments of stages that take ``lengths``: the stage and its second."""
    starts, chance = list(accumulate(lengths, initial=0)), random.Random(0)
    chosen = sorted(chance.uniform(0, starts[-1]) for _ in range(KILLS))
    places = [bisect(starts, moment) - 1 for moment in chosen]
    return [(place, moment - starts[place]) for place, moment in zip(places, chosen, strict=True)]


def killed_at(project: Path, number: int, names: Sequence[str], seconds: float) -> tuple[int, str]:
    """Kill `dvc repro` ``seconds`` after it starts one of ``names``; return its end, and output."""
    said = []
    with repro(project) as process:
        for line in process.stdout or ():
            said.append(line)
            if line.startswith("Running stage") and line.split("'")[1] in names:
                break
        time.sleep(seconds)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        said.extend(process.stdout or ())
    return process.returncode, "".join(said)


def repro(project: Path, *flags: str) -> subprocess.Popen[str]:
    """Start `dvc repro` as the leader of a group of processes that share its output."""
    return subprocess.Popen(
        ["dvc", "repro", *flags],
        cwd=project,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


if __name__ == "__main__":
    main()
