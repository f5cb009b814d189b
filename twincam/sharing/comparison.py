"""Compare two runs: their parameters, their metrics and the prediction of each image."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from twincam.statistics.intervals import PairedComparison, compare_paired

FEWEST_DIFFERING = 6
"""The fewest images, right under one model only, with which McNemar's p can be below 0.05: at best
2 / 2 ** 6."""


class Change(NamedTuple):
    """One value that differs; None if one side lacks it."""

    name: str
    before: Any
    after: Any


class Headline(NamedTuple):
    """A metric that differs, as text: with its interval if it has one, a dash if it is missing."""

    name: str
    before: str
    after: str
    change: str


class Paired(NamedTuple):
    """Two models on the images of a split, and the conclusion in words.

    ``points`` is the difference of the accuracies, after minus before, with its 95 % interval.
    """

    split: str
    result: PairedComparison
    points: str
    judgement: str


def changes(diff: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> list[Change]:
    """Return the differences that ``dvc params diff`` found, by file and name."""
    files = sorted(diff)
    prefix = {file: "" if len(files) == 1 else f"{_stem(file)}: " for file in files}
    return [
        Change(prefix[file] + name, values.get("old"), values.get("new"))
        for file in files
        for name, values in sorted(diff[file].items())
    ]


def headlines(diff: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> list[Headline]:
    """Return each figure of ``dvc metrics diff --all`` that differs, in one row with its interval.

    Args:
        diff: by file and name, ``old`` and ``new``; ``<name>_low`` and ``<name>_high`` are the
            interval of ``<name>``.
    """
    found = []
    for file, values in sorted(diff.items()):
        for name in sorted(values):
            if re.sub("_(low|high)$", "", name) in values.keys() - {name}:
                continue
            parts = [values.get(f"{name}{end}", {}) for end in ("", "_low", "_high")]
            before, after = ([part.get(side) for part in parts] for side in ("old", "new"))
            if before != after:
                moved = _change(before[0], after[0])
                found.append(Headline(f"{_stem(file)}: {name}", _cell(before), _cell(after), moved))
    return found


def _cell(values: Sequence[Any]) -> str:
    value, low, high = (f"{one:.3f}" if isinstance(one, float) else one for one in values)
    if value is None:
        return "–"
    return f"{value}" if low is None or high is None else f"{value} ({low} to {high})"


def _change(before: Any, after: Any) -> str:
    both = isinstance(before, float | int) and isinstance(after, float | int)
    return f"{after - before:+.3g}" if both else ""


def _stem(file: str) -> str:
    return file.rsplit("/", 1)[-1].rsplit(".", 1)[0]


def leaves(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the values of nested mappings by dotted name."""
    found: dict[str, Any] = {}
    for key, value in tree.items():
        found |= (
            leaves(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
        )
    return found


def join(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each image that both runs evaluated in the same split.

    Args:
        before: ``predictions.csv`` of one run, with ``sha256``: ``path, split, label, predicted,
            confidence``.
        after: of the other.

    Returns:
        ``path, split, label, sha256``, and ``predicted`` and ``confidence`` of both runs with the
        suffixes ``_before`` and ``_after``. Images whose label or content differs are dropped,
        since their predictions are not comparable.
    """
    keys = ["path", "split", "label", "sha256"]
    columns = [*keys, "predicted", "confidence"]
    return before[columns].merge(after[columns], on=keys, suffixes=("_before", "_after"))


def paired(joined: pd.DataFrame) -> list[Paired]:
    """Return the paired comparison, after against before, of each split in the table of `join`.

    Rows with the same content count as one image.
    """
    found = []
    for split, rows in joined.groupby("split", sort=True):
        before = (rows["predicted_before"] == rows["label"]).to_numpy()
        after = (rows["predicted_after"] == rows["label"]).to_numpy()
        contents = rows["sha256"].to_numpy(str)
        result = compare_paired(before, after, contents, 0, "paired", split)
        found.append(Paired(str(split), result, points(result), judgement(result)))
    return found


def points(found: PairedComparison) -> str:
    """Return the difference of the accuracies and its 95 % interval in percentage points."""
    value, low, high = (100 * share for share in (found.difference, found.low, found.high))
    return f"{value:+.1f} points ({low:+.1f} to {high:+.1f})"


def judgement(found: PairedComparison) -> str:
    """Return the result of McNemar's test in words."""
    differing = found.only_first + found.only_second
    if found.p < 0.05:
        return "a significant difference"
    if differing < FEWEST_DIFFERING:
        return f"no significant difference; too few discordant images ({differing})"
    return "no significant difference"


def rows_to_show(joined: pd.DataFrame, at_least: int = 4, at_most: int = 24) -> pd.DataFrame:
    """Return the rows of `join` that are worth showing.

    First come those whose prediction changed, at most ``at_most``: first the ones that became
    wrong, the most confident first. If they are few, those whose confidence changed most are added.
    """
    changed = joined["predicted_before"] != joined["predicted_after"]
    moved = (joined["confidence_after"] - joined["confidence_before"]).abs()
    wrong = changed & (joined["predicted_after"] != joined["label"])
    importance = joined["confidence_after"].where(changed, moved)
    ordered = joined.assign(changed=changed, wrong=wrong, importance=importance).sort_values(
        ["changed", "wrong", "importance", "path"], ascending=[False, False, False, True]
    )
    rows = min(at_most, max(at_least, int(changed.sum())))
    return ordered.head(rows).drop(columns=["wrong", "importance"])


def neighbours_in_common(before: pd.DataFrame, after: pd.DataFrame) -> pd.Series:
    """Return, by image, the overlap (Jaccard) of its nearest training images in both runs.

    Neighbours of any label count, because the twins of two different predictions have different
    labels.

    Args:
        before: ``twins.csv`` of one run: ``image, kind, neighbour``, with images as content hashes.
        after: of the other.
    """
    sets = [
        table[table["kind"] == "neighbourhood"].groupby("image")["neighbour"].agg(frozenset)
        for table in (before, after)
    ]
    both = pd.concat(sets, axis=1, join="inner", keys=["before", "after"])
    return pd.Series(
        [len(a & b) / len(a | b) for a, b in zip(both["before"], both["after"], strict=True)],
        index=both.index,
        dtype=float,
    )
