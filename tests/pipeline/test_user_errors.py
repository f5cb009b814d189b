"""Whatever a user can get wrong ends in one clear line, status not 0, and nothing half-written."""

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from dvc.repo import Repo

from tests.conftest import change_params, run_in


def command_of(project: Path, stage: str) -> str:
    with Repo(str(project)) as repo:
        return str(next(found.cmd for found in repo.index.stages if found.name == stage))


def fail(project: Path, stage: str, limit: str = "") -> str:
    """Run a stage that must fail, perhaps under a limit; return its one line of standard error."""
    command = f"{limit}{command_of(project, stage)}"
    done = run_in(project, "bash", "-c", command, check=False, forks=not limit)
    assert done.returncode not in (0, 139)
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith(f"{stage}: ")]
    assert len(lines) == 1, done.stderr
    return lines[0]


def leftovers(project: Path) -> list[Path]:
    return [path for path in project.rglob(".*.partial") if ".dvc" not in path.parts]


@pytest.mark.parametrize(
    ("stage", "block", "key", "value"),
    [
        ("synthesize", "synthesize", "pairs", 0),
        ("split", "split", "val_fraction", 1.5),
        ("prepare", "prepare", "image_size", "large"),
        ("train", "train", "optimizer", "lion"),
        ("explain", "explain", "space", "pixels"),
        ("protopnet", "protopnet", "cluster", -1),
        ("prototypes", "prototypes", "l1", -1),
    ],
)
def test_bad_parameters_are_named(
    project: Path, stage: str, block: str, key: str, value: object
) -> None:
    change_params(project, {block: {key: value}})
    line = fail(project, stage)
    assert f"{block}.{key} is {value!r}" in line


@pytest.mark.parametrize(
    ("stage", "block", "key", "value", "words"),
    [
        ("train", "train", "unfreeze_from", 9, "allowed: 0 (train everything) to 8"),
        ("protopnet", "protopnet", "after_block", 8, "allowed: 0 to 7"),
        ("protopnet", "protopnet", "prototypes_per_class", 500, "set at most"),
    ],
)
def test_values_that_do_not_fit_the_network_or_the_data(
    project: Path, stage: str, block: str, key: str, value: int, words: str
) -> None:
    change_params(project, {block: {key: value}})
    line = fail(project, stage)
    assert f"{block}.{key} is {value}" in line
    assert words in line


def test_missing_data_folder(project: Path) -> None:
    change_params(project, {"data": {"root": "data/nowhere"}})
    done = run_in(project, "dvc", "repro", check=False)
    assert done.returncode != 0
    assert "data/nowhere" in done.stderr
    assert "data/nowhere" in fail(project, "split")


def test_missing_weights_file(project: Path) -> None:
    change_params(project, {"model": {"weights": "file"}})
    line = fail(project, "train")
    assert "model.weights_file is 'data/none'" in line
    assert "model.weights=imagenet" in line


def test_missing_input_names_the_way_on(project: Path) -> None:
    shutil.rmtree(project / "data" / "embeddings")
    line = fail(project, "explain")
    assert "data/embeddings" in line
    assert "dvc repro" in line


def test_full_disk_leaves_the_old_model(project: Path) -> None:
    model = project / "models" / "classifier.safetensors"
    before = model.read_bytes()
    line = fail(project, "train", limit="trap '' XFSZ; ulimit -f 100; ")
    assert "no space left" in line
    assert model.read_bytes() == before
    assert leftovers(project) == []


def test_interrupted_training_says_so_and_goes_on_from_its_checkpoint(project: Path) -> None:
    expected = (project / "models" / "classifier.safetensors").read_bytes()
    change_params(project, {"train": {"epochs": 200}})
    command = command_of(project, "train").replace("python", f"exec {sys.executable}", 1)
    process = subprocess.Popen(
        ["bash", "-c", command], cwd=project, stderr=subprocess.PIPE, text=True
    )
    while not list((project / ".checkpoints").glob("*.pt")):
        assert process.poll() is None, process.stderr and process.stderr.read()
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, printed = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "train: interrupted" in printed
    assert "Traceback" not in printed
    assert (project / "models" / "classifier.safetensors").read_bytes() == expected
    assert leftovers(project) == []
