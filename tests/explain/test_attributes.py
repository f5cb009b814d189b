"""What neighbours have in common is counted against what chance would give."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from stages.explain.attributes import read_attributes, shared_at

KNOWN = np.array(["ear"] * 5 + ["tail"] * 5 + [""] * 10)


def test_the_nearest_five_are_counted_among_images_that_have_a_value() -> None:
    queries = np.array(["ear", "tail", ""])
    near = np.zeros((3, 20))
    near[0, :5], near[1, :5] = 1, 1
    near[:, 10:] = 2
    found = shared_at(near, queries, KNOWN, 0)
    assert found["n"] == 2
    assert found["share"] == 0.5
    assert found["chance"] == 0.5
    assert found["over_chance"]["low"] <= 0 <= found["over_chance"]["high"]


def test_nothing_is_said_where_too_few_have_a_value() -> None:
    assert shared_at(np.zeros((2, 20)), np.array(["ear", ""]), KNOWN, 0) == {}
    assert shared_at(np.zeros((2, 20)), np.array(["ear", "tail"]), np.full(20, ""), 0) == {}


def test_columns_that_could_tell_are_read_in_the_order_of_the_images(tmp_path: Path) -> None:
    manifest = pd.DataFrame(
        {
            "path": ["b.png", "a.png"],
            "group": ["1", "2"],
            "coat": ["black", "ginger"],
            "constant": ["same", "same"],
        }
    )
    manifest.to_csv(tmp_path / "manifest.csv", index=False)
    paths = pd.Series(["a.png", "b.png", "c.png"])
    table = read_attributes(tmp_path, paths)
    assert list(table) == ["coat", "constant"]
    assert table["coat"].tolist() == ["ginger", "black", ""]
    assert list(read_attributes(tmp_path, paths[:2])) == ["coat"]
    assert read_attributes(tmp_path / "none", paths).shape == (3, 0)


@pytest.mark.parametrize("column", [[f"v{k}" for k in range(60)], ["one"] * 60])
def test_columns_that_cannot_tell_are_left_out(column: list[str], tmp_path: Path) -> None:
    paths = [f"{k}.png" for k in range(60)]
    pd.DataFrame({"path": paths, "c": column}).to_csv(tmp_path / "manifest.csv", index=False)
    assert not len(read_attributes(tmp_path, pd.Series(paths)).columns)
