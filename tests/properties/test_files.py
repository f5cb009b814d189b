"""What is written is read back as it was."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from twincam.files.arrays import read_array, write_array
from twincam.files.metrics import read_metrics, rounded, write_metrics
from twincam.files.predictions import join_names, split_names
from twincam.files.reviews import COLUMNS, MARKS, add_reviews, read_reviews
from twincam.files.shards import read_shards, write_shards
from twincam.files.tables import read_table, read_texts, write_table
from twincam.near_duplicates.hashes import hash_text, hash_values

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
NAME = st.one_of(
    TEXT, st.sampled_from(["=cmd|'/C calc'!A0", "nan", "007", "\u202egnp", "a\nb", "# a", "#"])
)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@given(st.lists(st.tuples(NAME, NAME, st.floats(-1e9, 1e9)), max_size=6))
def test_tables(folder: Path, rows: list[tuple[str, str, float]]) -> None:
    table = pd.DataFrame(rows, columns=["path", "label", "score"])
    write_table(folder / "t.csv", table)
    back = read_table(folder / "t.csv")
    assert back["path"].tolist() == table["path"].tolist()
    assert back["label"].tolist() == table["label"].tolist()
    assert back["score"].to_numpy(float) == pytest.approx(table["score"].to_numpy(float), abs=1e-6)
    assert read_texts(folder / "t.csv")["path"].tolist() == table["path"].tolist()


FIGURES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), NAME),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3), st.dictionaries(NAME, inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(NAME, FIGURES, max_size=4))
def test_metrics(folder: Path, figures: dict) -> None:
    write_metrics(folder / "m.json", figures)
    assert read_metrics(folder / "m.json") == rounded(figures)


@given(
    arrays(
        st.sampled_from([np.float32, np.uint8, np.int64, bool]),
        st.lists(st.integers(0, 4), min_size=1, max_size=3).map(tuple),
    )
)
def test_arrays(folder: Path, array: np.ndarray) -> None:
    write_array(folder / "a.npy", array)
    back = read_array(folder / "a.npy")
    assert (back.dtype, back.shape) == (array.dtype, array.shape)
    assert np.array_equal(back, array, equal_nan=array.dtype.kind == "f")


@given(st.data(), st.lists(st.sampled_from("ab"), max_size=9))
def test_shards(data: st.DataObject, labels: list[str]) -> None:
    labels.sort()
    rows = data.draw(arrays(np.uint8, (len(labels), 2, 3)))
    with tempfile.TemporaryDirectory() as name:
        with write_shards(Path(name) / "s", labels, (2, 3)) as append:
            for row in rows:
                append(row)
        assert (read_shards(Path(name) / "s")[:] == rows).all()


@given(st.lists(NAME, max_size=5))
def test_lists_of_names(names: list[str]) -> None:
    assert split_names(join_names(names)) == names


@given(st.lists(st.integers(0, 2**64 - 1), max_size=5))
def test_hashes(values: list[int]) -> None:
    hashes = np.array(values, np.uint64)
    assert (hash_values(hash_text(pd.Series(hashes))) == hashes).all()


PATH = NAME.filter(lambda path: path.strip() == path != "" and not set(path) & set("\r\n"))


@given(st.dictionaries(PATH, st.sampled_from(MARKS), max_size=4))
def test_reviews(marks: dict[str, str]) -> None:
    rows = pd.DataFrame(
        [(path, mark, "a note", "") for path, mark in marks.items()], columns=list(COLUMNS)
    )
    with tempfile.TemporaryDirectory() as name:
        add_reviews(Path(name), rows)
        back = read_reviews(Path(name))
        assert dict(zip(back["path"], back["mark"], strict=True)) == marks
