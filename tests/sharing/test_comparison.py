"""Two runs are compared image by image, and what moved most is shown first."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from twincam.sharing.comparison import (
    Change,
    Headline,
    changes,
    headlines,
    join,
    judgement,
    neighbours_in_common,
    paired,
    points,
    rows_to_show,
)
from twincam.statistics.intervals import PairedComparison, compare_paired, mcnemar


def predictions(**columns: Sequence[object]) -> pd.DataFrame:
    rows = len(columns["path"])
    plain = {"sha256": columns["path"], "split": ["val"] * rows, "confidence": [0.9] * rows}
    return pd.DataFrame({**plain, **columns})


def test_changes_name_the_file_where_several_hold_the_values() -> None:
    one = {"params.yaml": {"seed": {"old": 0, "new": 1}}}
    assert changes(one) == [Change("seed", 0, 1)]
    two = {"reports/b.json": {"n": {"old": 1}}, "reports/a.json": {"n": {"new": 2}}}
    assert changes(two) == [Change("a: n", None, 2), Change("b: n", 1, None)]


def test_a_headline_that_differs_stands_in_one_row_with_its_interval() -> None:
    same: dict[str, object] = {"old": 0.5, "new": 0.5}
    evaluate: dict[str, dict[str, object]] = {
        "accuracy": {"old": 0.9, "new": 0.95},
        "accuracy_low": {"old": 0.8, "new": 0.85},
        "accuracy_high": {"old": 0.97, "new": 0.97},
        "nll": same,
        "split": {"old": "val", "new": "test"},
    }
    wider: dict[str, dict[str, object]] = {
        "rate": same,
        "rate_low": {"old": 0.4, "new": 0.3},
        "rate_high": same,
    }
    diff: dict[str, dict[str, dict[str, object]]] = {
        "reports/evaluate.json": evaluate,
        "reports/a.json": {"rate": {"new": 0.25}},
        "reports/stability.json": wider,
    }
    assert headlines(diff) == [
        Headline("a: rate", "–", "0.250", ""),
        Headline("evaluate: accuracy", "0.900 (0.800 to 0.970)", "0.950 (0.850 to 0.970)", "+0.05"),
        Headline("evaluate: split", "val", "test", ""),
        Headline("stability: rate", "0.500 (0.400 to 0.500)", "0.500 (0.300 to 0.500)", "+0"),
    ]


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
    result = found.result
    assert (found.split, result.n) == ("val", 40)
    assert (result.first, result.second) == (right[0].mean(), right[1].mean())
    assert result.only_first == (right[0] & ~right[1]).sum()
    assert result.only_second == (~right[0] & right[1]).sum()
    assert result.p == pytest.approx(mcnemar(*right))
    assert result.low <= result.difference <= result.high


def test_copies_of_one_image_count_once() -> None:
    names = [f"{n:02d}" for n in range(30)]
    before = predictions(path=names, label=["x"] * 30, predicted=["x"] * 15 + ["y"] * 15)
    after = predictions(path=names, label=["x"] * 30, predicted=["x"] * 30)
    (apart,) = paired(join(before, after))
    contents = [*names[:15], *["same"] * 15]
    (copies,) = paired(join(before.assign(sha256=contents), after.assign(sha256=contents)))
    assert (apart.result.images, copies.result.images) == (30, 16)
    assert (apart.result.only_second, copies.result.only_second) == (15, 1)
    assert apart.result.p < 0.001
    assert copies.result.p == 1


def result(only_first: int, only_second: int) -> PairedComparison:
    first, second = np.ones(100, bool), np.ones(100, bool)
    first[:only_second] = False
    second[only_second : only_second + only_first] = False
    return compare_paired(first, second, np.arange(100), 0)


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ((0, 6), "a significant difference"),
        ((3, 8), "no significant difference"),
        ((0, 5), "no significant difference; too few discordant images (5)"),
    ],
)
def test_the_judgement_follows_from_the_test(counts: tuple[int, int], words: str) -> None:
    assert judgement(result(*counts)) == words


def test_points_are_signed_percentages() -> None:
    found = result(0, 6)
    assert points(found) == f"+6.0 points ({100 * found.low:+.1f} to {100 * found.high:+.1f})"


def test_what_became_wrong_is_shown_first_and_all_changes_before_the_rest() -> None:
    ids = list("abcdefg")
    before = predictions(path=ids, label=["x"] * 7, predicted=["x", "y", "x", "x", "x", "x", "x"])
    after = predictions(
        path=ids,
        label=["x"] * 7,
        predicted=["x", "x", "y", "y", "x", "x", "x"],
        confidence=[0.5, 0.99, 0.6, 0.8, 0.95, 0.9, 0.9],
    )
    rows = rows_to_show(join(before, after))
    assert list(rows["path"]) == ["d", "c", "b", "a"]
    assert list(rows["changed"]) == [True, True, True, False]
    assert list(rows_to_show(join(before, after), at_most=2, at_least=1)["path"]) == ["d", "c"]


def test_neighbours_in_common_is_jaccard_of_those_of_any_label() -> None:
    def table(names: str) -> pd.DataFrame:
        rows = [("q", "neighbourhood", name) for name in names] + [("q", "twins", "z")]
        return pd.DataFrame(rows, columns=["image", "kind", "neighbour"])

    assert neighbours_in_common(table("abc"), table("cde"))["q"] == pytest.approx(1 / 5)
    assert neighbours_in_common(table("ab"), table("ba"))["q"] == 1
