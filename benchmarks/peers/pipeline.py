"""`dvc repro` where nothing changed, beside an empty pipeline with as many stages."""

import subprocess
import sys
import tempfile
from pathlib import Path

from dvc.repo import Repo
from ruamel.yaml import YAML

from benchmarks.peers.timing import in_turn, print_times
from benchmarks.runs import run

ROUNDS = 10


def print_pipeline(project: Path) -> None:
    """Print the seconds of a `dvc repro` that runs nothing, in a clone of ``project``.

    The program ends if the committed run of ``project`` is not in its cache.
    """
    with tempfile.TemporaryDirectory() as scratch:
        finished, empty = Path(scratch) / "finished", Path(scratch) / "empty"
        clone_run(project, finished)
        count = stage_count(finished)
        empty_pipeline(empty, count)
        calls = {
            f"empty pipeline of {count} stages": lambda: repro(empty),
            "TwinCAM": lambda: repro(finished),
        }
        print_times("`dvc repro`, nothing to do", in_turn(calls, ROUNDS), next(iter(calls)))


def stage_count(project: Path) -> int:
    """Return the number of stages that ``project`` declares."""
    return len(YAML(typ="safe").load(project / "dvc.yaml")["stages"])


def clone_run(project: Path, folder: Path) -> None:
    """Clone the commit of ``project`` to ``folder`` with its outputs, from the same cache."""
    with Repo(str(project)) as repo:
        cache = str(repo.cache.local.path).removesuffix("/files/md5")
    run(project, "git", "clone", "--quiet", str(project), str(folder))
    run(folder, "dvc", "cache", "dir", "--local", cache)
    run(folder, "dvc", "checkout")


def empty_pipeline(folder: Path, count: int) -> None:
    """Make a project of ``count`` stages in a row, each with one dependency and one output."""
    folder.mkdir()
    stages = {
        f"stage{number}": {
            "cmd": f"cp {number}.txt {number + 1}.txt",
            "deps": [f"{number}.txt"],
            "outs": [f"{number + 1}.txt"],
        }
        for number in range(count)
    }
    YAML().dump({"stages": stages}, folder / "dvc.yaml")
    (folder / "0.txt").write_text("0")
    run(folder, "git", "init", "--quiet")
    run(folder, "dvc", "init", "--quiet")
    run(folder, "dvc", "repro")


def repro(folder: Path) -> None:
    """Run `dvc repro`; end the program if a stage runs."""
    done = subprocess.run(["dvc", "repro"], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode or "Running stage" in done.stdout:
        sys.exit(f"{folder}: expected a run with nothing to do, got\n{done.stdout}\n{done.stderr}")
