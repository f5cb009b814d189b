"""The models of any two revisions are compared on what DVC keeps of them, by one command."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT, commit, run_in, user_error
from twincam.files.project import project_root
from twincam.sharing.models import compare_models

PREDICTIONS = "reports/predictions.csv"
STAGE = """
import sys
wrong = set(open("wrong.txt").read().split())
rows = [(f"{k:02d}", f"{'real' if k % 2 else 'fake'}/{k}.png") for k in range(60)]
with open("split.csv") as given:
    split = given.read()
open("data/split.csv", "w").write(split)
with open("reports/predictions.csv", "w") as out:
    print("id,path,split,source,label,predicted,confidence", file=out)
    for name, path in rows:
        label = path.split("/")[0]
        other = "fake" if label == "real" else "real"
        part = "val" if int(name) < 40 else "test"
        predicted = other if name in wrong else label
        print(name, path, part, "here", label, predicted, 0.9, sep=",", file=out)
with open("reports/external.csv", "w") as out:
    print("id,path,split,source,label,predicted,confidence", file=out)
    for k in range(10):
        predicted = "real" if f"e{k}" in wrong else "fake"
        path = f"phone/fake/{k}.png"
        print(f"e{k}", path, "external", "phone", "fake", predicted, 0.8, sep=",", file=out)
with open("reports/without.csv", "w") as out:
    print("id,path,split,source,label,predicted,confidence,left_out", file=out)
    for source in ("here", "there"):
        for name, path in rows[:10]:
            label = path.split("/")[0]
            predicted = "unknown" if name in wrong and source == "here" else label
            print(name, path, "val", "here", label, predicted, 0.9, source, sep=",", file=out)
"""
PIPELINE = """
stages:
  evaluate:
    cmd: python evaluate.py
    deps: [wrong.txt, evaluate.py, split.csv]
    outs: [data/split.csv, reports/predictions.csv, reports/external.csv, reports/without.csv]
  after:
    cmd: cp other.txt reports/after.txt
    deps: [other.txt, reports/predictions.csv]
    outs: [reports/after.txt]
"""


def set_wrong(folder: Path, names: str, message: str) -> None:
    (folder / "wrong.txt").write_text(names + "\n")
    run_in(folder, "dvc", "repro", "--quiet")
    commit(folder, message)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a small pipeline with three runs: tagged `bad`, tagged `good`, and the tree."""
    folder = tmp_path_factory.mktemp("models") / "repo"
    for name in ("data", "reports"):
        (folder / name).mkdir(parents=True)
        (folder / name / ".gitkeep").touch()
    run_in(folder, "git", "init", "--quiet", "--initial-branch", "main")
    run_in(folder, "git", "config", "user.email", "test@example.org")
    run_in(folder, "git", "config", "user.name", "test")
    run_in(folder, "dvc", "init", "--quiet")
    run_in(folder, "dvc", "config", "core.analytics", "false")
    run_in(folder, "dvc", "remote", "add", "--default", "storage", "../store")
    (folder / "evaluate.py").write_text(STAGE)
    (folder / "dvc.yaml").write_text(PIPELINE)
    (folder / "other.txt").write_text("1\n")
    rows = [f"{k:02d},{k:064d},{'real' if k % 2 else 'fake'}" for k in range(60)]
    (folder / "split.csv").write_text("\n".join(["id,sha256,label", *rows]) + "\n")
    set_wrong(folder, " ".join(f"{k:02d}" for k in range(8)) + " e1 e2 e3", "bad")
    run_in(folder, "git", "tag", "bad")
    set_wrong(folder, "00 50", "good")
    run_in(folder, "git", "tag", "good")
    set_wrong(folder, "00 01 50", "tree")
    return folder


@pytest.fixture
def repo(built: Path, tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "repo"
    shutil.copytree(built, folder, symlinks=True)
    yield folder


def models(folder: Path, *words: str) -> str:
    """Return what the command prints."""
    command = ("env", f"PYTHONPATH={ROOT}", "python", "-m", "twincam", "models", *words)
    return run_in(folder, *command).stdout


def compared(root: Path, first: str, second: str | None = None, file: str = PREDICTIONS) -> str:
    return f"{compare_models(root, first, second, file)}\n"


def failure(root: Path, first: str, second: str | None = None, file: str = PREDICTIONS) -> str:
    return user_error(compare_models, root=root, first=first, second=second, file=file)


def test_two_revisions_and_the_working_tree(repo: Path) -> None:
    said = models(repo, "bad", "good")
    assert "| split | n | A: bad | B: good | only A right | only B right |" in said
    val = next(line for line in said.splitlines() if line.startswith("| val"))
    assert val.startswith(
        "| val | 40 | 0.800 (0.652–0.895) | 0.975 (0.871–0.996) | 0 | 7 | 0.016 |"
    )
    assert "good against bad +17.5 points" in said
    assert "a significant difference (exact p = 0.016)" in said
    test = next(line for line in said.splitlines() if line.startswith("| test"))
    assert test.startswith("| test | 20 | 1.000 (0.839–1.000) | 0.950 (")
    assert "- test, n = 20: good against bad -5.0 points" in said
    assert "no significant difference; too few discordant images (1)" in said

    tree = compared(repo, "good")
    assert "| val | 40 | 0.975 (0.871–0.996) | 0.950 (0.835–0.986) | 1 | 0 | 1.000 |" in tree
    assert "B: the working tree" in tree


def test_another_table_and_images_of_other_sources(repo: Path) -> None:
    said = models(repo, "bad", "good", "--file", "reports/external.csv")
    assert "| external: phone | 10 | 0.700 (0.397–0.892) | 1.000 (0.722–1.000) | 0 | 3 |" in said
    assert "reports/nothing.csv" in failure(repo, "bad", file="reports/nothing.csv")


def test_an_image_judged_without_several_sources_counts_once_for_each(repo: Path) -> None:
    said = compared(repo, "bad", "good", "reports/without.csv")
    assert "| val, without here | 10 | 0.200 (0.057–0.510) | 0.900 (0.596–0.982) | 0 | 7 |" in said
    assert "| val, without there | 10 | 1.000 (0.722–1.000) | 1.000 (0.722–1.000) | 0 | 0 |" in said
    assert "Not compared" not in said


def test_outputs_come_from_the_remote_and_the_markdown_stays_clean(repo: Path) -> None:
    for name in ("bad", "good", "main"):
        run_in(repo, "git", "checkout", "--quiet", name)
        run_in(repo, "dvc", "push", "--quiet")
    expected = compared(repo, "bad", "good")
    shutil.rmtree(repo / ".dvc" / "cache")
    assert models(repo, "bad", "good") == expected
    shutil.rmtree(repo / ".dvc" / "cache")
    run_in(repo, "dvc", "remote", "remove", "storage")
    assert "there is no remote" in failure(repo, "bad", "good")


def test_what_the_table_does_not_rest_on_may_be_stale(repo: Path) -> None:
    before = compared(repo, "good")
    (repo / "other.txt").write_text("2\n")
    assert compared(repo, "good") == before
    (repo / "wrong.txt").write_text("00\n")
    line = failure(repo, "good")
    assert "have not run since something changed: evaluate" in line
    assert "expected a branch, tag or commit" in failure(repo, "nowhere")


def test_images_that_one_side_alone_judged_are_counted_and_never_compared(repo: Path) -> None:
    split = (repo / "split.csv").read_text().splitlines()
    split[1] = split[1].replace("0" * 64, "f" * 64)
    (repo / "split.csv").write_text("\n".join(split) + "\n")
    run_in(repo, "dvc", "repro", "--quiet")
    said = compared(repo, "good")
    assert "| val | 39 |" in said
    assert "Not compared: images that only A evaluated (1) or only B (1)." in said


def test_a_folder_below_the_project_will_do(repo: Path) -> None:
    assert models(repo / "data", "bad", "good") == compared(repo, "bad", "good")
    (repo / "other").mkdir()
    run_in(repo / "other", "git", "init", "--quiet")
    assert "expected the project's folder" in user_error(project_root, start=repo / "other")
