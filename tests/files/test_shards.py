"""Arrays in shards read as one array, and grow at the end of each class."""

import gc
import hashlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from twincam.files import shards
from twincam.files.errors import UserError
from twincam.files.shards import read_masks, read_shards, write_shards

LABELS = ["cat"] * 7 + ["dog"] * 4
ROW = (2, 3)


@pytest.fixture(autouse=True)
def three_rows_a_shard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "SHARD_BYTES", 3 * 6 + 5)


def rows_of(labels: list[str]) -> np.ndarray:
    """Rows that depend on their class and their place in it."""
    seeds = [(labels[row], labels[:row].count(labels[row])) for row in range(len(labels))]
    digests = [hashlib.sha256(repr(seed).encode()).digest()[:6] for seed in seeds]
    return np.array([list(digest) for digest in digests], np.uint8).reshape(-1, *ROW)


def written(folder: Path, labels: list[str]) -> np.ndarray:
    rows = rows_of(labels)
    with write_shards(folder, labels, ROW) as append:
        for row in rows:
            append(row)
    return rows


@pytest.mark.parametrize(
    "index",
    [
        *(0, 6, 7, -1, np.int64(4)),
        *(slice(None), slice(2, 9), slice(None, None, -1), slice(3, 3)),
        *([5], [8, 1, 8, 0], np.array([-1, 3]), np.arange(11) % 3 == 0, np.zeros(0, int)),
    ],
)
def test_every_index_gives_what_one_array_would(tmp_path: Path, index: Any) -> None:
    rows = written(tmp_path / "rows", LABELS)
    found = read_shards(tmp_path / "rows")
    assert found.shape == rows.shape
    assert len(found) == len(rows)
    assert found[index].dtype == rows.dtype
    np.testing.assert_array_equal(found[index], rows[index])


def test_a_row_beyond_the_last_is_an_index_error(tmp_path: Path) -> None:
    written(tmp_path / "rows", LABELS)
    with pytest.raises(IndexError):
        read_shards(tmp_path / "rows")[11]


def test_shards_are_full_or_end_with_their_class_and_are_what_numpy_saves(tmp_path: Path) -> None:
    rows = written(tmp_path / "rows", LABELS)
    files = sorted((tmp_path / "rows").iterdir())
    assert [len(np.load(file)) for file in files] == [3, 3, 1, 3, 1]
    np.save(tmp_path / "saved.npy", rows[3:6])
    assert files[1].read_bytes() == (tmp_path / "saved.npy").read_bytes()


def test_new_images_at_the_end_of_a_class_change_its_last_shard_alone(tmp_path: Path) -> None:
    written(tmp_path / "before", LABELS)
    written(tmp_path / "after", ["cat"] * 8 + ["dog"] * 6)
    before, after = (
        {file.read_bytes() for file in (tmp_path / name).iterdir()} for name in ("before", "after")
    )
    assert len(before - after) == 2
    assert len(after - before) == 2


def test_without_rows_the_shape_of_a_row_is_kept(tmp_path: Path) -> None:
    written(tmp_path / "masks", [])
    assert read_shards(tmp_path / "masks").shape == (0, *ROW)
    assert read_masks(tmp_path / "masks", np.arange(4), 5).tolist() == np.zeros((4, 5, 5)).tolist()


def test_missing_rows_leave_nothing(tmp_path: Path) -> None:
    with (
        pytest.raises(ValueError, match="fewer rows than the 11 announced"),
        write_shards(tmp_path / "rows", LABELS, ROW) as append,
    ):
        append(np.zeros(ROW))
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_one_error_and_leaves_nothing(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "SHARD_BYTES", 2**20)
    ignored: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", ignored.append)

    def write() -> None:
        with write_shards(small_disk / "rows", ["a"] * 1000, (10, 10)) as append:
            for _ in range(1000):
                append(np.zeros((10, 10)))

    with pytest.raises(OSError, match="No space left"):
        write()
    gc.collect()
    assert not ignored
    assert not list(small_disk.iterdir())


def test_a_folder_without_arrays_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="expected a folder of arrays with rows of one shape"):
        read_shards(tmp_path)
