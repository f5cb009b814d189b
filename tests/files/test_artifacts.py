"""Outputs are written completely or not at all, and always in the same form."""

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.conftest import user_error
from twincam.files.arrays import read_array, read_finite, write_array
from twincam.files.atomic import atomic_folder, atomic_path, names_below, write_bytes
from twincam.files.errors import UserError
from twincam.files.metrics import read_metrics, write_metrics
from twincam.files.tables import (
    headline_split,
    read_logits,
    read_table,
    read_texts,
    write_table,
)


def write_folder(target: Path, *names: str) -> None:
    with atomic_folder(target) as folder:
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(name)


def test_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "out"
    with atomic_folder(target) as folder:
        (folder / "a").write_text("old")
    with pytest.raises(KeyboardInterrupt), atomic_folder(target) as folder:
        (folder / "a").write_text("new")
        raise KeyboardInterrupt
    assert (target / "a").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_leftovers_of_a_killed_run_are_replaced(tmp_path: Path) -> None:
    (tmp_path / ".x.partial").mkdir()
    (tmp_path / ".x.partial" / "half").write_text("h")
    write_bytes(tmp_path / "x", b"whole")
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_metrics_are_sorted_rounded_and_end_in_a_newline(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    figures = {
        "b": np.float32(1 / 3),
        "a": {"z": np.int64(2), "y": float("nan"), "x": -1e-9, "w": []},
    }
    write_metrics(path, figures)
    text = path.read_text()
    assert text.endswith("}\n")
    assert list(json.loads(text)) == ["a", "b"]
    assert read_metrics(path) == {"b": 0.333333, "a": {"z": 2, "y": None, "x": 0.0}}
    assert "-0.0" not in text


def test_tables_keep_ids_and_empty_cells(tmp_path: Path) -> None:
    table = pd.DataFrame({"id": ["0012", "NA"], "source": ["", 'x,\n"y"'], "p": [0.5, 1 / 3]})
    write_table(tmp_path / "t.csv", table)
    back = read_table(tmp_path / "t.csv")
    assert back["id"].tolist() == ["0012", "NA"]
    assert back["source"].tolist() == ["", 'x,\n"y"']
    assert back["p"].tolist() == [0.5, 0.333333]


@pytest.mark.parametrize(
    "names",
    [["007", "7"], ["1e5", "inf"], ["True", "False"], ["nan", "NA"], ["=1", "\r", "\r\n", ' "|,']],
)
def test_names_come_back_as_they_were(names: list[str], tmp_path: Path) -> None:
    table = pd.DataFrame({"label": names, "coat": names, "score": 0.5})
    write_table(tmp_path / "t.csv", table)
    assert read_table(tmp_path / "t.csv")["label"].tolist() == names
    assert read_table(tmp_path / "t.csv")["score"].dtype == float
    assert read_texts(tmp_path / "t.csv")["coat"].tolist() == names


@pytest.mark.parametrize("content", [b"", b'{"a": ', b"[1]", b"\xff", b"[" * 100_000])
def test_damaged_metrics_are_named(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "preprocessing.json").write_bytes(content)
    with pytest.raises(UserError, match=r"preprocessing\.json: expected JSON .*dvc repro"):
        read_metrics(tmp_path / "preprocessing.json")


def test_arrays_are_memory_mapped_and_other_files_are_named(tmp_path: Path) -> None:
    write_array(tmp_path / "a.npy", np.arange(6.0).reshape(2, 3)[:, ::-1])
    array = read_array(tmp_path / "a.npy")
    assert isinstance(array, np.memmap)
    assert array.tolist() == [[2, 1, 0], [5, 4, 3]]
    (tmp_path / "b.npy").write_bytes(b"no array")
    with pytest.raises(UserError, match=r"b\.npy: not a \.npy array"):
        read_array(tmp_path / "b.npy")


def test_an_error_without_a_name_gets_the_target_and_leaves_it(tmp_path: Path) -> None:
    target = tmp_path / "model.bin"
    target.write_bytes(b"old")
    with pytest.raises(OSError) as caught, atomic_path(target):
        raise OSError(28, "No space left on device")
    assert caught.value.filename == str(target)
    assert target.read_bytes() == b"old"


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_refused_when_read(tmp_path: Path, wrong: float) -> None:
    path = tmp_path / "logits.npy"
    write_array(path, np.array([[0.5, 1.0], [2.0, 3.0]], np.float32))
    assert read_finite(path).shape == (2, 2)
    write_array(path, np.array([[0.5, 1.0], [2.0, wrong]], np.float32))
    assert str(path) in user_error(read_finite, path=path)


@pytest.mark.parametrize("wrong", ["", "inf", "many"])
def test_logits_that_are_not_numbers_are_refused_when_read(tmp_path: Path, wrong: str) -> None:
    path = tmp_path / "out_of_fold.csv"
    path.write_text("id,logit_a,logit_b\n")
    assert read_logits(path).empty
    path.write_text("id,logit_a,logit_b\n01,0.5,1.5\n")
    assert read_logits(path).to_numpy().tolist() == [["01", 0.5, 1.5]]
    path.write_text(f"id,logit_a,logit_b\n01,0.5,1.5\n02,0.5,{wrong}\n")
    assert str(path) in user_error(read_logits, path=path)


def test_a_file_never_replaces_a_folder_nor_a_folder_a_file(tmp_path: Path) -> None:
    folder, file = tmp_path / "exports", tmp_path / "notes"
    folder.mkdir()
    file.write_text("mine")
    assert "found a folder" in user_error(write_bytes, path=folder, content=b"new")
    assert "found a file" in user_error(write_folder, target=file)
    assert folder.is_dir()
    assert file.read_text() == "mine"


def test_a_folder_is_replaced_only_by_one_that_has_every_name_in_it(tmp_path: Path) -> None:
    target = tmp_path / "out"
    write_folder(target, "a/b")
    write_folder(target, "a/b", "c")
    assert sorted(names_below(target)) == ["a", "a/b", "c"]
    (target / "a" / "mine.md").write_text("mine")
    (target / "none").mkdir()
    line = user_error(lambda: write_folder(target, "a/b", "c"))
    assert "contains a/mine.md" in line
    assert "2 in all" in line
    assert (target / "a" / "mine.md").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("name", ["", ".", "..", "/", "sub/.."])
def test_a_path_without_a_name_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "expected a file or folder name" in user_error(write_folder, target=Path(name))
    assert "expected a file or folder name" in user_error(write_bytes, path=Path(name), content=b"")
    assert list(tmp_path.iterdir()) == []


def test_the_target_of_a_link_is_kept(tmp_path: Path) -> None:
    cached, link = tmp_path / "cached", tmp_path / "link"
    cached.write_text("cached")
    link.symlink_to(cached)
    assert "found a link" in user_error(write_folder, target=link)
    write_bytes(link, b"new")
    assert cached.read_text() == "cached"
    assert link.read_text() == "new"
    link.unlink()
    link.symlink_to(tmp_path, target_is_directory=True)
    assert "found a link" in user_error(write_bytes, path=link, content=b"new")
    assert link.is_symlink()


def test_a_pipe_is_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    line = user_error(write_bytes, path=tmp_path / "pipe", content=b"new")
    assert "found a device or pipe" in line


def test_headlines_are_of_test_where_it_was_measured_else_of_val() -> None:
    assert headline_split({"val": 1, "test": 2, "external": 3}) == "test"
    assert headline_split(["val"]) == "val"
    assert headline_split({"external": 3}) is None
