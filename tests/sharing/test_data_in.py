"""Images and weights come from elsewhere, folders grow, disks are freed: nothing else moves."""

import shutil
from pathlib import Path

import pandas as pd
import torch

from tests.conftest import change_params, commit, ran, run_in
from tests.sharing.servers import http_read_only
from twincam.models.network import create


def own_images(project: Path, folder: str) -> Path:
    """Copy the rendered images to ``folder`` and make it the data of the project."""
    shutil.copytree(project / "data" / "synthetic" / "images", project / folder)
    change_params(project, {"data": {"root": folder, "info": "data/none"}})
    return project / folder


def stages_run(project: Path, *words: str) -> list[str]:
    return ran(run_in(project, "dvc", "repro", *words).stdout)


def test_images_of_a_public_repository_are_imported(project: Path, tmp_path: Path) -> None:
    study = tmp_path / "study"
    shutil.copytree(project / "data" / "synthetic" / "images", study / "dataset" / "cats")
    run_in(study, "git", "init", "--quiet", "--initial-branch", "main")
    run_in(study, "git", "config", "user.email", "test@example.org")
    run_in(study, "git", "config", "user.name", "test")
    commit(study, "images")
    run_in(project, "dvc", "import", str(study), "dataset/cats", "--out", "data/cats")
    change_params(project, {"data": {"root": "data/cats", "info": "data/none"}})
    assert stages_run(project, "split") == ["split"]
    assert len(pd.read_csv(project / "data" / "split.csv")) == 32
    commit(project, "imported")
    assert "data/cats/" not in run_in(project, "git", "ls-files").stdout

    colleague = tmp_path / "colleague"
    run_in(tmp_path, "git", "clone", "--quiet", str(project), str(colleague))
    run_in(colleague, "dvc", "pull", "data/cats.dvc")
    assert len(list((colleague / "data" / "cats").rglob("*.png"))) == 32


def test_weights_are_imported_from_the_web_and_used(project: Path, tmp_path: Path) -> None:
    served = tmp_path / "served"
    served.mkdir()
    state = create("resnet18", ("a", "b"), ((0.5,) * 3, (0.5,) * 3)).module.state_dict()
    torch.save(state, served / "resnet18.pth")
    with http_read_only(served) as storage:
        url = f"{storage.url}/resnet18.pth"
        run_in(project, "dvc", "import-url", url, "data/resnet18.pth")
    change_params(
        project,
        {
            "model": {
                "arch": "resnet18",
                "weights": "file",
                "weights_file": "data/resnet18.pth",
            },
            "train": {"unfreeze_from": 4, "views": 1, "epochs": 1},
            "crossval": {"folds": 0},
        },
    )
    assert stages_run(project, "train") == ["crossval", "train"]
    commit(project, "weights")
    assert "data/resnet18.pth\n" not in run_in(project, "git", "ls-files").stdout


def test_a_new_image_reruns_what_it_must_and_moves_no_other(project: Path) -> None:
    images = own_images(project, "data/own")
    late = [images / label / "scene-00003.png" for label in ("fake", "real")]
    aside = [path.rename(project / f"{path.parent.name}.png") for path in late]
    run_in(project, "dvc", "add", "--quiet", "data/own")
    assert stages_run(project, "prepare") == ["split", "prepare"]
    before = pd.read_csv(project / "data" / "split.csv", index_col="path")["split"]
    for path, kept in zip(late, aside, strict=True):
        shutil.move(kept, path)
    run_in(project, "dvc", "add", "--quiet", "data/own")
    said = run_in(project, "dvc", "repro", "--dry").stdout
    assert "Running stage 'synthesize'" not in said
    assert "Running stage 'train'" in said
    assert stages_run(project, "prepare") == ["split", "prepare"]
    after = pd.read_csv(project / "data" / "split.csv", index_col="path")["split"]
    assert len(after) == len(before) + 2
    assert after[before.index].equals(before)


def test_freeing_disk_keeps_what_branches_and_tags_need(project: Path, tmp_path: Path) -> None:
    """The recipe of the README."""
    wanted = project / "reports" / "index.html"
    kept = {"main": wanted.read_bytes()}
    for name, panels in (("branch", 1), ("tag", 3), ("thrown-away", 4)):
        run_in(project, "git", "checkout", "--quiet", "-b", name, "main")
        run_in(project, "dvc", "checkout", "--quiet")
        change_params(project, {"panels": {"correct": panels}})
        run_in(project, "dvc", "repro")
        commit(project, name)
        kept[name] = wanted.read_bytes()
    run_in(project, "git", "tag", "v1", "tag")
    run_in(project, "git", "checkout", "--quiet", "main")
    run_in(project, "dvc", "checkout")
    run_in(project, "git", "branch", "--quiet", "-D", "tag", "thrown-away")
    cache = project / ".dvc" / "cache" / "files"

    def size() -> int:
        return sum(path.stat().st_size for path in cache.rglob("*") if path.is_file())

    before = size()
    run_in(project, "dvc", "gc", "--force", "--all-branches", "--all-tags", "--all-experiments")
    assert size() < before
    objects = [path.read_bytes() for path in cache.rglob("*") if path.is_file()]
    assert kept["thrown-away"] not in objects
    for revision, name in (("branch", "branch"), ("v1", "tag"), ("main", "main")):
        run_in(project, "git", "checkout", "--quiet", revision)
        run_in(project, "dvc", "checkout")
        assert wanted.read_bytes() == kept[name]
        assert "up to date" in run_in(project, "dvc", "status").stdout


def test_a_colleague_with_one_changed_parameter_brings_and_runs_only_what_it_takes(
    pushed: Path, tmp_path: Path
) -> None:
    colleague = tmp_path / "colleague"
    run_in(tmp_path, "git", "clone", "--quiet", str(pushed), str(colleague))
    change_params(colleague, {"panels": {"correct": 3}})
    assert stages_run(colleague, "--pull", "--allow-missing") == ["panels", "report"]
    assert (colleague / "reports" / "index.html").is_file()
    for unneeded in (
        "data/synthetic",
        "data/prepared/parts",
        "models/protopnet.safetensors",
    ):
        assert not (colleague / unneeded).exists()
