"""What a user of the pipeline sees: only what changed reruns, and every rerun is the same."""

import json
import shutil
from pathlib import Path

from PIL import Image

from tests.conftest import change_params, commit, ran, run_in
from twincam.files.shards import read_shards

CHANGED = ("params.yaml", "dvc.lock", "reports")


def test_nothing_runs_again(project: Path) -> None:
    assert ran(run_in(project, "dvc", "repro").stdout) == []
    assert "up to date" in run_in(project, "dvc", "status").stdout


def test_a_protopnet_parameter_reruns_what_follows_protopnet_alone(project: Path) -> None:
    change_params(project, {"protopnet": {"cluster": 0.7}})
    assert ran(run_in(project, "dvc", "repro").stdout) == [
        *("protopnet", "prototypes", "explainer", "report")
    ]
    changed = run_in(project, "dvc", "params", "diff").stdout
    assert "protopnet.cluster" in changed
    assert "0.7" in changed


def test_a_changed_last_layer_trains_nothing(project: Path) -> None:
    removal = {"remove": [{"id": 1, "reason": "it shows a mark"}]}
    changes: list[dict[str, object]] = [{"l1": 0.03}, {"ridge": 0.1}, {"decisions": 1}, {**removal}]
    for change in changes:
        run_in(project, "git", "restore", "params.yaml")
        change_params(project, {"prototypes": change})
        stale = json.loads(run_in(project, "dvc", "status", "--json").stdout)
        assert list(stale) == ["prototypes"], change
    assert ran(run_in(project, "dvc", "repro", "prototypes").stdout) == ["prototypes"]
    details = json.loads((project / "reports" / "details" / "prototypes.json").read_text())
    assert "removed" in details


def test_a_collapse_ends_the_stage_unless_it_may_pass(project: Path) -> None:
    changes: dict[str, object] = {"l1": 10.0, "on_collapse": "fail"}
    change_params(project, {"prototypes": changes})
    done = run_in(project, "dvc", "repro", "prototypes", check=False)
    assert done.returncode
    assert "prototypes: the prototype network collapsed: " in done.stderr
    assert "to continue anyway, set prototypes.on_collapse=warn" in done.stderr


def test_experiments_in_a_row_on_an_own_folder_with_blanks_and_the_way_back(project: Path) -> None:
    own = project / "data" / "my cats"
    shutil.copytree(project / "data" / "synthetic" / "images", own)
    run_in(project, "dvc", "add", "data/my cats")
    commit(project, "own images")
    where = ("-S", "data.root=data/my cats", "-S", "data.info=data/none")
    reading_files = ("audit", "stability", "forensics")
    first = run_in(project, "dvc", "exp", "run", *where, *reading_files)
    assert set(ran(first.stdout)) == {"split", "prepare", "crossval", "train", *reading_files}
    second = run_in(project, "dvc", "exp", "run", "-S", "audit.permutations=30", *reading_files)
    assert ran(second.stdout) == ["audit"]

    run_in(project, "git", "restore", "--staged", "--worktree", *CHANGED)
    run_in(project, "dvc", "checkout")
    assert "up to date" in run_in(project, "dvc", "status").stdout


def test_another_image_size_is_rendered_and_prepared(project: Path) -> None:
    run_in(project, "dvc", "exp", "run", "-S", "synthesize.image_size=64", "synthesize")
    rendered = next((project / "data/synthetic/images").rglob("*.png"))
    assert Image.open(rendered).size == (64, 64)
    run_in(project, "dvc", "exp", "run", "-S", "prepare.image_size=80", "prepare")
    assert read_shards(project / "data/prepared/images").shape[1:] == (80, 80, 3)
