"""What a user of the pipeline sees: only what changed reruns, and every rerun is the same."""

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import change_params, commit, run_in
from twincam.files.shards import read_shards

CHANGED = ("params.yaml", "dvc.lock", "reports")


def ran(output: str) -> list[str]:
    return [line.split("'")[1] for line in output.splitlines() if line.startswith("Running stage")]


def test_nothing_runs_again(project: Path) -> None:
    assert ran(run_in(project, "dvc", "repro").stdout) == []
    assert "up to date" in run_in(project, "dvc", "status").stdout


def test_a_protopnet_parameter_reruns_what_follows_protopnet_alone(project: Path) -> None:
    change_params(project, {"protopnet": {"cluster": 0.7}})
    assert ran(run_in(project, "dvc", "repro").stdout) == ["protopnet", "prototypes", "report"]
    changed = run_in(project, "dvc", "params", "diff").stdout
    assert "protopnet.cluster" in changed
    assert "0.7" in changed


@pytest.mark.parametrize(
    "change",
    [
        {"remove": [{"id": 1, "reason": "it shows a mark"}]},
        {"l1": 0.03},
        {"ridge": 0.1},
        {"decisions": 1},
    ],
)
def test_a_changed_last_layer_trains_nothing(project: Path, change: dict[str, object]) -> None:
    change_params(project, {"prototypes": change})
    assert list(json.loads(run_in(project, "dvc", "status", "--json").stdout)) == ["prototypes"]
    assert ran(run_in(project, "dvc", "repro", "prototypes").stdout) == ["prototypes"]
    details = json.loads((project / "reports" / "details" / "prototypes.json").read_text())
    assert ("removed" in details) == ("remove" in change)


def test_a_collapse_ends_the_stage_unless_it_may_pass(project: Path) -> None:
    changes: dict[str, object] = {"l1": 10.0, "on_collapse": "fail"}
    change_params(project, {"prototypes": changes})
    done = run_in(project, "dvc", "repro", "prototypes", check=False)
    assert done.returncode
    assert "prototypes: the prototype network collapsed: " in done.stderr
    assert "to continue anyway, set prototypes.on_collapse=warn" in done.stderr


def test_forced_run_in_another_clone_gives_the_same_lock(finished: Path, tmp_path: Path) -> None:
    folder = tmp_path / "other place"
    run_in(tmp_path, "git", "clone", "--quiet", str(finished), str(folder))
    (folder / "dvc.lock").unlink()
    run_in(folder, "dvc", "repro", "--force")
    assert (folder / "dvc.lock").read_bytes() == (finished / "dvc.lock").read_bytes()


def test_experiments_in_a_row_on_an_own_folder_with_blanks_and_the_way_back(project: Path) -> None:
    own = project / "data" / "my cats"
    shutil.copytree(project / "data" / "synthetic" / "images", own)
    run_in(project, "dvc", "add", "data/my cats")
    commit(project, "own images")
    root = "data.root=data/my cats"
    first = run_in(project, "dvc", "exp", "run", "-S", root, "-S", "data.info=data/none")
    assert ran(first.stdout)[:2] == ["split", "prepare"]
    second = run_in(project, "dvc", "exp", "run", "-S", "explain.twins=2")
    assert ran(second.stdout) == ["explain", "panels", "report"]

    run_in(project, "git", "restore", "--staged", "--worktree", *CHANGED)
    run_in(project, "dvc", "checkout")
    assert "up to date" in run_in(project, "dvc", "status").stdout


def test_another_image_size_is_rendered_and_prepared(project: Path) -> None:
    run_in(project, "dvc", "exp", "run", "-S", "synthesize.image_size=64", "synthesize")
    rendered = next((project / "data/synthetic/images").rglob("*.png"))
    assert Image.open(rendered).size == (64, 64)
    run_in(project, "dvc", "exp", "run", "-S", "prepare.image_size=80", "prepare")
    assert read_shards(project / "data/prepared/images").shape[1:] == (80, 80, 3)


def test_diffs_between_commits_name_what_changed(project: Path) -> None:
    change_params(project, {"train": {"epochs": 3}})
    run_in(project, "dvc", "repro", "evaluate")
    metrics = run_in(project, "dvc", "metrics", "diff", "HEAD").stdout
    assert "reports/evaluate.json" in metrics
    assert "reports/details" not in metrics
    changed = run_in(project, "git", "diff", "--name-only").stdout.split()
    assert "reports/details/train.json" in changed
    run_in(project, "dvc", "plots", "diff", "HEAD", "--out", "plots")
    page = (project / "plots" / "index.html").read_text()
    assert "Loss and accuracy by epoch" in page
    assert "HEAD" in page
    assert "workspace" in page
