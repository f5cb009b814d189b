"""What a colleague's clone downloads from a remote, and how long it takes.

Used as ``python -m benchmarks.colleague`` where the committed run is in the cache.
"""

import re
import subprocess
import tempfile
import time
from pathlib import Path

from dvc.repo import Repo

from benchmarks.runs import ROOT, run

WAYS = {
    "models and report: `make pull`": [["python", "-m", "sharing", "pull"]],
    "everything: `make pull ALL=1`": [["python", "-m", "sharing", "pull", "--all"]],
    "the same with DVC's own `dvc pull`": [["dvc", "pull"]],
    "another `explain.twins`: `dvc repro --pull --allow-missing`": [
        ["sed", "-i", "s/ twins: 5 / twins: 7 /", "params.yaml"],
        ["dvc", "repro", "--pull", "--allow-missing"],
    ],
    "another `train.epochs`, the same": [
        ["sed", "-i", "s/^  epochs: 12$/  epochs: 6/", "params.yaml"],
        ["dvc", "repro", "--pull", "--allow-missing"],
    ],
}


def main() -> None:
    """Print a Markdown table."""
    print("| a fresh clone requests | MB downloaded | files | stages run | seconds |")
    print("|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as scratch, Repo(str(ROOT)) as repo:
        place, remote = Path(scratch), Path(scratch) / "remote"
        author = clone(place / "author", remote)
        cache = str(repo.cache.local.path).removesuffix("/files/md5")
        run(author, "dvc", "cache", "dir", "--local", cache)
        run(author, "python", "-m", "sharing", "push")
        pushed = {path.name for path in files(remote)}
        for number, (name, commands) in enumerate(WAYS.items()):
            folder = clone(place / str(number), remote)
            started = time.monotonic()
            printed = "".join(
                subprocess.run(words, cwd=folder, check=True, capture_output=True, text=True).stdout
                for words in commands
            )
            seconds = time.monotonic() - started
            brought = [path for path in files(folder / ".dvc" / "cache") if path.name in pushed]
            size = sum(path.stat().st_size for path in brought) / 1e6
            ran = ", ".join(re.findall(r"^Running stage '(.+)':", printed, re.MULTILINE)) or "none"
            print(f"| {name} | {size:.1f} | {len(brought)} | {ran} | {seconds:.1f} |", flush=True)


def clone(folder: Path, remote: Path) -> Path:
    """Return a new clone of this project in ``folder`` whose remote is ``remote``."""
    run(ROOT, "git", "clone", "--quiet", str(ROOT), str(folder))
    run(folder, "dvc", "remote", "add", "--local", "--default", "storage", str(remote))
    return folder


def files(store: Path) -> list[Path]:
    """Return the objects of a cache or remote; the history of runs is not counted."""
    return [path for path in (store / "files" / "md5").glob("*/*") if path.is_file()]


if __name__ == "__main__":
    main()
