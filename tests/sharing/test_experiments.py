"""Experiments run side by side in copies of the project, and are averaged over their seeds."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import dvc.api
import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import ttest_1samp

from tests.conftest import ROOT, commit, run_in, user_error
from tests.sharing.servers import http_read_only
from twincam.models.network import create
from twincam.sharing.experiments import (
    FIGURES,
    by_setting,
    compare_experiments,
    figures_of,
    is_covered,
    markdown,
    mean_interval,
)

LOAD = """
import sys
from torchvision.models import ResNet18_Weights
ResNet18_Weights.IMAGENET1K_V1.value.url = sys.argv[1]
from twincam.models.architectures import resnet18
from twincam.models.architectures import HALF
from twincam.models.network import create
from twincam.models.weights import load_pretrained
from pathlib import Path
resnet18.SHA256 = sys.argv[2]
network = create("resnet18", ("a", "b"), HALF)
load_pretrained(network, "imagenet", Path("none"))
print(float(network.module.conv1.weight.sum()))
"""


def test_interval_is_that_of_scipy() -> None:
    values = np.array([0.90, 0.93, 0.91, 0.95])
    expected = ttest_1samp(values, 0).confidence_interval(0.95)
    assert mean_interval(values) == pytest.approx((values.mean(), *expected))
    assert np.isnan(mean_interval(values[:1])[1:]).all()


def test_runs_are_grouped_by_what_varies_but_the_seed() -> None:
    table = pd.DataFrame(
        {"seed": [0, 1, 0], "train.epochs": [2.0, 2.0, 3.0], "model.arch": ["a", "a", "a"]}
    ).assign(**{figure: [0.5, 0.7, 0.9] for figure in FIGURES})
    found = by_setting(table, ["seed", "train.epochs", "model.arch"], "seed")
    assert list(found.columns) == ["train.epochs", "n", *FIGURES]
    assert list(found["train.epochs"]) == ["2", "3"]
    assert list(found["n"]) == [2, 1]
    assert found["accuracy"][0][0] == pytest.approx(0.6)


def test_a_headline_that_a_run_lacks_is_a_dash_and_one_alone_of_its_name_is_found() -> None:
    row = {"rev": "1234567", "reports/evaluate.json:accuracy": 0.9, "abstention_rate": 0.2}
    found = figures_of(row)
    assert found
    assert (found["accuracy"], found["abstention rate"]) == (0.9, 0.2)
    assert np.isnan([found["ROC AUC"], found["ProtoPNet accuracy"]]).all()
    table = by_setting(pd.DataFrame([found]).assign(seed=0), ["seed"], "seed")
    assert markdown(table).splitlines()[-1] == "| 1 | 0.900 | – | 0.200 | – |"
    assert figures_of({"rev": "1234567", "reports/crossval.json:accuracy": 0.9}) is None
    assert figures_of({**row, "rev": "workspace"}) is None


@pytest.mark.parametrize("state", ["Queued", "Running", "Failed"])
def test_what_has_not_finished_is_not_counted(state: str) -> None:
    """Its row shows the figures of the commit that it starts from."""
    row = {f"{file}:{key}": 0.9 for file, key in FIGURES.values()} | {"rev": "1234567"}
    assert figures_of({**row, "State": "Success"})
    assert figures_of({**row, "State": state}) is None


@pytest.mark.parametrize(
    ("path", "seen"),
    [
        ("data/cats", True),
        ("data/cats/small/", True),
        ("./data", True),
        ("/srv/cats", True),
        ("data/cat", False),
        ("data/new", False),
        ("../cats", False),
    ],
)
def test_a_queued_run_sees_what_its_commit_reaches(path: str, seen: bool) -> None:
    assert is_covered({"data/cats", "params.yaml"}, path) == seen


def test_a_queued_run_that_cannot_see_its_data_is_named(tmp_path: Path) -> None:
    run_in(tmp_path, "git", "init", "--quiet")
    run_in(tmp_path, "git", "config", "user.email", "test@example.org")
    run_in(tmp_path, "git", "config", "user.name", "test")
    run_in(tmp_path, "dvc", "init", "--quiet")
    (tmp_path / "params.yaml").write_text("seed: 0\ndata:\n  root: data/tracked\n")
    (tmp_path / "dvc.yaml").write_text(
        "stages:\n  split:\n    cmd: cp -r ${data.root} out\n    deps: ['${data.root}']\n"
        "    outs: [out]\n"
    )
    for name in ("tracked", "added", "new"):
        (tmp_path / "data" / name).mkdir(parents=True)
        (tmp_path / "data" / name / "image").write_text(name)
    run_in(tmp_path, "dvc", "add", "--quiet", "data/added")
    (tmp_path / "data" / "new" / ".gitignore").write_text("*\n")
    commit(tmp_path, "start")
    for name in ("added", "new"):
        run_in(
            tmp_path, *("dvc", "exp", "run", "--queue", "-n", name, "-S", f"data.root=data/{name}")
        )
    line = user_error(compare_experiments, root=tmp_path, over="seed")
    assert "new cannot see data/new, which its commit lacks: `dvc add` it, commit" in line
    assert "data/added" not in line


def test_a_queue_of_two_workers_with_own_images_leaves_the_project_alone(project: Path) -> None:
    """An own folder is laid out in each worker's temporary copy, and nothing moves here.

    On images of which nothing else is known, every stage runs.
    """
    shutil.copytree(project / "data" / "synthetic" / "images", project / "data" / "my cats")
    run_in(project, "dvc", "add", "--quiet", "data/my cats")
    commit(project, "own images")
    own = ["-S", "data.root=data/my cats", "-S", "data.info=data/none"]
    run_in(project, "dvc", "exp", "run", "--queue", "-S", "seed=1", "audit")
    run_in(project, "dvc", "exp", "run", "--queue", *own)
    run_in(project, "dvc", "queue", "start", "--jobs", "2")
    try:
        states = wait_for_queue(project)
    finally:
        run_in(project, "dvc", "queue", "stop", "--kill")
    assert states == ["Success", "Success"], run_in(project, "dvc", "exp", "show").stdout
    assert run_in(project, "git", "status", "--short").stdout == ""
    assert "up to date" in run_in(project, "dvc", "status").stdout

    text = compare_experiments(project, "seed")
    rows = [line.split(" | ") for line in text.splitlines() if "data/" in line]
    counts = {row[0].strip("| "): row[2] for row in rows}
    assert counts == {"data/my cats": "1", "data/synthetic/images": "2"}
    name = "reports/evaluate.json:accuracy"
    by_seed = [
        row[name]
        for row in dvc.api.exp_show(str(project))
        if row["rev"] != "workspace" and row["data.root"] == "data/synthetic/images"
    ]
    assert f"{np.mean(by_seed):.3f} (" in next(row[3] for row in rows if "synthetic" in row[0])
    assert "expected a parameter" in user_error(compare_experiments, root=project, over="sead")


def wait_for_queue(project: Path) -> list[str]:
    """Return how the runs ended; asking often would take the time from them."""
    for _ in range(120):
        rows = dvc.api.exp_show(str(project))
        states = [str(row["State"]) for row in rows if row.get("State")]
        if not set(states) & {"Queued", "Running"}:
            return states
        time.sleep(5)
    return states


def test_workers_that_need_the_same_weights_at_once_all_get_them(tmp_path: Path) -> None:
    weights = create("resnet18", [str(n) for n in range(1000)], ((0.5,) * 3, (0.5,) * 3))
    served = tmp_path / "served"
    served.mkdir()
    torch.save(weights.module.state_dict(), served / "weights.pth")
    digest = subprocess.run(
        ["sha256sum", served / "weights.pth"], capture_output=True, text=True, check=True
    ).stdout[:8]
    (served / "weights.pth").rename(served / f"resnet18-{digest}.pth")
    home = tmp_path / "home"
    with http_read_only(served) as storage:
        workers = [
            subprocess.Popen(
                [sys.executable, "-c", LOAD, f"{storage.url}/resnet18-{digest}.pth", digest],
                cwd=ROOT,
                env={"TORCH_HOME": str(home), "PYTHONPATH": str(ROOT)},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for _ in range(3)
        ]
        ended = [worker.communicate() for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0, 0], ended
    expected = float(weights.module.state_dict()["conv1.weight"].sum())
    assert [float(out.split()[-1]) for out, _ in ended] == pytest.approx([expected] * 3)
    assert [path.name for path in home.rglob("*") if path.is_file()] == [f"resnet18-{digest}.pth"]
