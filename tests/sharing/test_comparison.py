"""Two runs are compared image by image, and what moved most is shown first."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from sharing.comparison import Change, changes, join, neighbours_in_common, paired, shown
from stages.common.statistics import mcnemar


def predictions(**columns: Sequence[object]) -> pd.DataFrame:
    rows = len(columns["path"])
    plain = {"sha256": columns["path"], "split": ["val"] * rows, "confidence": [0.9] * rows}
    return pd.DataFrame({**plain, **columns})


def test_changes_name_the_file_where_several_hold_the_values() -> None:
    one = {"params.yaml": {"seed": {"old": 0, "new": 1}}}
    assert changes(one) == [Change("seed", 0, 1)]
    two = {"reports/b.json": {"n": {"old": 1}}, "reports/a.json": {"n": {"new": 2}}}
    assert changes(two) == [Change("a: n", None, 2), Change("b: n", 1, None)]


def test_only_images_that_both_judged_by_the_same_label_are_compared() -> None:
    before = predictions(path=["a", "b", "c"], label=["x", "x", "y"], predicted=["x", "y", "y"])
    after = predictions(path=["d", "c", "b"], label=["x", "x", "x"], predicted=["x", "y", "x"])
    joined = join(before, after)
    assert list(joined["path"]) == ["b"]
    assert joined["predicted_before"].item() == "y"
    assert joined["predicted_after"].item() == "x"


def test_an_image_that_moved_to_another_split_is_not_compared() -> None:
    before = predictions(path=["a"], label=["x"], predicted=["x"])
    assert join(before, before.assign(split="test")).empty


def test_another_image_of_the_same_name_is_not_compared() -> None:
    before = predictions(path=["a"], label=["x"], predicted=["x"])
    assert len(join(before, before)) == 1
    assert join(before, before.assign(sha256="other")).empty


def test_paired_counts_and_p_are_those_of_the_images() -> None:
    rng = np.random.default_rng(0)
    ids = [f"{n:02d}" for n in range(40)]
    labels = rng.choice(["x", "y"], 40).tolist()
    first, second = (rng.choice(["x", "y"], 40).tolist() for _ in range(2))
    before = predictions(path=ids, label=labels, predicted=first)
    after = predictions(path=ids, label=labels, predicted=second).sample(frac=1, random_state=1)
    (found,) = paired(join(before, after))
    right = [np.array(given) == np.array(labels) for given in (first, second)]
    assert found.n == 40
    assert (found.before, found.after) == (right[0].mean(), right[1].mean())
    assert found.only_before == (right[0] & ~right[1]).sum()
    assert found.only_after == (~right[0] & right[1]).sum()
    assert found.p == pytest.approx(mcnemar(*right))


def test_what_became_wrong_is_shown_first_and_all_changes_before_the_rest() -> None:
    ids = list("abcdefg")
    before = predictions(path=ids, label=["x"] * 7, predicted=["x", "y", "x", "x", "x", "x", "x"])
    after = predictions(
        path=ids,
        label=["x"] * 7,
        predicted=["x", "x", "y", "y", "x", "x", "x"],
        confidence=[0.5, 0.99, 0.6, 0.8, 0.95, 0.9, 0.9],
    )
    rows = shown(join(before, after))
    assert list(rows["path"]) == ["d", "c", "b", "a"]
    assert list(rows["changed"]) == [True, True, True, False]
    assert list(shown(join(before, after), at_most=2, at_least=1)["path"]) == ["d", "c"]


def test_neighbours_in_common_is_jaccard_of_those_of_any_label() -> None:
    def table(names: str) -> pd.DataFrame:
        rows = [("q", "neighbourhood", name) for name in names] + [("q", "twins", "z")]
        return pd.DataFrame(rows, columns=["image", "kind", "neighbour"])

    assert neighbours_in_common(table("abc"), table("cde"))["q"] == pytest.approx(1 / 5)
    assert neighbours_in_common(table("ab"), table("ba"))["q"] == 1
