"""`make check` finds what makes a commit useless to colleagues, and passes a complete one."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import change_params, commit, run_in, user_error
from twincam.sharing.checks import check


def test_a_whole_commit_passes_without_data_and_cache(finished: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    run_in(tmp_path, "git", "clone", "--quiet", str(finished), str(clone))
    said = run_in(clone, "python", "-m", "twincam", "check").stdout
    assert said.count("ok: ") == 6
    assert not (clone / ".dvc" / "cache").exists()


def changed_parameter(folder: Path) -> None:
    change_params(folder, {"train": {"epochs": 3}, "prototypes": {"l1": 0.5}})


def changed_metric(folder: Path) -> None:
    path = folder / "reports" / "evaluate.json"
    metrics = json.loads(path.read_text())
    metrics["accuracy"] = 1.0
    path.write_text(json.dumps(metrics))


def changed_code(folder: Path) -> None:
    with (folder / "stages" / "report" / "page.py").open("a") as file:
        file.write("\n")


def changed_graph(folder: Path) -> None:
    path = folder / "docs" / "pipeline.md"
    path.write_text(re.sub(r"\tnode\d+-->node\d+\n", "", path.read_text(), count=1))


def large_file(folder: Path) -> None:
    (folder / "docs" / "large.bin").write_bytes(bytes(1_000_001))


def unignored_output(folder: Path) -> None:
    (folder / "models" / ".gitignore").write_text("/classifier.safetensors\n")
    for name in ("protopnet", "protopnet_trained"):
        (folder / "models" / f"{name}.safetensors").unlink()


def held_output(folder: Path) -> None:
    run_in(folder, "git", "add", "--force", "data/split.csv")


def lost_details(folder: Path) -> None:
    run_in(folder, "git", "rm", "--quiet", "--cached", "reports/details/train.json")
    (folder / ".git" / "info" / "exclude").write_text("reports/details/train.json\n")


def pushed_nothing(folder: Path) -> None:
    run_in(folder, "dvc", "remote", "add", "--default", "storage", str(folder.parent / "empty"))


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (
            changed_parameter,
            ["prototypes.l1, train.epochs", "crossval: changed since", "make repro"],
        ),
        (changed_metric, ["reports/evaluate.json: not what dvc.lock says"]),
        (changed_code, ["report: changed since"]),
        (changed_graph, ["the graph in docs/pipeline.md is not that of dvc.yaml"]),
        (large_file, ["docs/large.bin: too large"]),
        (unignored_output, ["models/protopnet.safetensors", "not ignore"]),
        (held_output, ["git holds data/split.csv"]),
        (lost_details, ["git lacks reports/details/train.json"]),
        (pushed_nothing, ["lacks data/attributes.csv, data/deliveries.csv", "make push"]),
    ],
)
def test_what_is_wrong_is_named(
    finished: Path, tmp_path: Path, harm: Callable[[Path], None], words: list[str]
) -> None:
    clone = tmp_path / "clone"
    shutil.copytree(finished, clone, symlinks=True, ignore=shutil.ignore_patterns("cache"))
    harm(clone)
    commit(clone, "harm")
    error = user_error(check, root=clone, report=print)
    for word in words:
        assert word in error


def test_two_runs_merge_through_a_repro(project: Path) -> None:
    """The recipe of the README: git keeps one lock and asks; a repro makes it true."""
    both: dict[str, dict[str, dict[str, object]]] = {
        "left": {"panels": {"correct": 1}},
        "right": {"robustness": {"images": 2}},
    }
    for branch, changes in both.items():
        run_in(project, "git", "checkout", "--quiet", "-b", branch, "main")
        run_in(project, "dvc", "checkout", "--quiet")
        change_params(project, changes)
        run_in(project, "dvc", "repro")
        commit(project, branch)
    merged = run_in(project, "git", "merge", "left", check=False)
    assert "CONFLICT (content): Merge conflict in dvc.lock" in merged.stdout
    assert "<<<<" not in (project / "dvc.lock").read_text()
    run_in(project, "git", "checkout", "--ours", "dvc.lock", "reports/")
    said = run_in(project, "dvc", "repro").stdout
    assert "Running stage 'panels'" in said or "Stage 'panels' is cached" in said
    assert "Stage 'train' didn't change" in said
    commit(project, "merged")
    check(project, print)
