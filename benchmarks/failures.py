"""What full disks, missing rights, narrow limits and kills do to a run of the pipeline.

Used as ``python -m benchmarks.failures [TROUBLE …]``, by root on Linux: it mounts small file
systems. Each stage of a finished tiny run is run again under each trouble; it must end right, with
the same bytes, or in one line, with every earlier output as it was.
"""

import argparse
import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from dvc.repo import Repo

from benchmarks.runs import ROOT, override, run

TINY: dict[str, dict[str, object]] = {
    "run": {"threads": 1},
    "synthesize": {"pairs": 16, "image_size": 96},
    "prepare": {"image_size": 96},
    "audit": {"permutations": 20},
    "train": {"unfreeze_from": 6, "views": 2, "epochs": 2, "batch_size": 8},
    "crossval": {"folds": 2},
    "robustness": {"images": 8},
    "explain": {"twins": 3, "influence_refits": 4},
    "panels": {"correct": 2},
    "faithfulness": {"images": 4},
    "protopnet": {"prototypes_per_class": 3, "views": 1, "warmup_epochs": 2, "joint_epochs": 1},
    "prototypes": {"on_collapse": "warn"},
}

KILLS = 10
"""Moments at which a forced run is killed."""

KILLED = "prepare"
"""The last stage of that run."""

NOBODY = 65534
"""The user without rights."""

DISK = "150m"


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
    """Print a row for each trouble, then one for each signal."""
    parser = argparse.ArgumentParser(description=__doc__)
    choices = [*TROUBLES, "SIGTERM", "SIGKILL"]
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
                found = killed(project, stages, getattr(signal, name), expected)
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
    settings = [
        f"--set-param={block}.{key}={override(value)}"
        for block, values in TINY.items()
        for key, value in values.items()
    ]
    run(project, "dvc", "exp", "run", *settings)
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


def killed(
    project: Path, stages: Sequence[Stage], number: int, expected: Mapping[str, Mapping[str, str]]
) -> dict[str, Outcome]:
    """Kill a forced run at random moments; return whether every output was whole or absent, and
    whether `dvc repro` then ended with the same bytes.
    """
    until = [stage.name for stage in stages].index(KILLED) + 1
    command, short = ["dvc", "repro", "--force", KILLED], stages[:until]
    wanted = {key: value for stage in short for key, value in expected[stage.name].items()}
    started = time.monotonic()
    run(project, *command)
    longest, found, chance = time.monotonic() - started, {}, random.Random(0)
    for kill in range(KILLS):
        moment = chance.uniform(0, longest)
        with tempfile.TemporaryFile() as log:
            process = subprocess.Popen(
                command, cwd=project, stdout=log, stderr=log, start_new_session=True
            )
            time.sleep(moment)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            process.wait()
            log.seek(0)
            said = log.read().decode(errors="replace")
        left = {key: value for one in short for key, value in digests(project, one).items()}
        again = subprocess.run(
            ["dvc", "repro", KILLED], cwd=project, capture_output=True, check=False
        )
        if again.returncode:
            (project / "dvc.lock").unlink(missing_ok=True)
            run(project, "dvc", "repro", KILLED)
        after = {key: value for one in short for key, value in digests(project, one).items()}
        kind = "right" if after == wanted else "another result"
        if not left.items() <= wanted.items():
            kind = "half-written"
        elif again.returncode:
            kind = "dvc.lock half-written by DVC; right without it"
            said = again.stderr.decode(errors="replace")
        elif "Traceback" in said:
            kind = "traceback"
        found[f"{kill}: after {moment:.0f} s"] = Outcome(kind, said)
    return found


if __name__ == "__main__":
    main()
