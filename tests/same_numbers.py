"""Compare the figures of a run before the rebuild of the house with those of a run after it.

``python tests/same_numbers.py OLD NEW``: the folder ``reports/`` of each. Every leaf of the old
JSON files and every column of the old tables is looked for under its new name.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

FILES = {
    "holdout": "leave_one_source_out",
    "deliver": "stability",
    "traces": "forensics",
    "protopnet": "prototypes",
}
"""Former names of stages."""

NAMES = [
    (r"^(audit\..*)\.(low|high)$", r"\1.accuracy_\2"),
    (r"^(evaluate\.external\.[^.]*)\.(low|high)$", r"\1.accuracy_\2"),
    (r"^(evaluate\.external\..*\.per_class\.[^.]*)\.(low|high)$", r"\1.recall_\2"),
    (r"^(leave_one_source_out)\.left_out\.", r"\1.sources."),
    (r"^(leave_one_source_out)\.skipped$", r"\1.skipped_sources"),
    (r"\.(left_out|not_measured)$", ".skipped"),
    (r"^stability\.(.*)\bunstable", r"stability.\1flip_rate"),
    (r"\bflips(_low|_high)?$", r"flip_rate\1"),
    (r"\blost(_low|_high)?$", r"accuracy_drop\1"),
    (r"\bcaught_or_unsure(_low|_high)?$", r"detected_or_abstained\1"),
    (r"\bunsure\.(per_class\.[^.]*\.)?share(_low|_high)?$", r"unsure.\1abstention_rate\2"),
    (r"\baccuracy_sure(_low|_high)?$", r"accuracy_when_sure\1"),
    (r"\.beyond\.", ".given_shortcut."),
    (r"^evaluate\.knows$", "evaluate.scope"),
    (r"\.nll_change\.in_words$", ".nll_change_sentence"),
    (r"^audit\.in_words$", "audit.sentences"),
    (r"^split\.given_split$", "split.predefined_split"),
    (r"\.guards\.projection\.(low|high)$", r".guards.projection.difference_\1"),
    (r"(?<!guards\.projection)\.difference$", ""),
    (r"\.(over_\w+|\w+_over_\w+|nll_change|change)\.(low|high)$", r".\1_\2"),
    (r"^(prototypes\.evidence\.[^.]*)\.points(_low|_high)?$", r"\1.contribution\2"),
    (r"^(prototypes\.evidence\.[^.]*)\.authentic$", r"\1.real_class"),
    (r"^forensics\.nominal_false_alarms$", "forensics.target_fpr"),
]
"""Patterns of former dotted names, ``stage.key.key``, and what they are now, in order."""

ITEMS = {"because_of": "copy_of"}
"""Former keys inside lists."""

TABLES = {"holdout.csv": "leave_one_source_out.csv"}
COLUMNS = {
    "points": "weight",
    "in_words": "statement",
    **{
        f"{old}{end}": f"{new}{end}"
        for old, new in (("flips", "flip_rate"), ("lost", "accuracy_drop"))
        for end in ("", "_low", "_high")
    },
}
"""Former names of tables and of columns."""


def _renamed(value: Any) -> Any:
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        return value
    return [{ITEMS.get(key, key): part for key, part in item.items()} for item in value]


def leaves(tree: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Yield dotted name and value of every leaf of nested mappings."""
    if isinstance(tree, dict) and tree:
        for key, value in tree.items():
            yield from leaves(value, f"{name}.{key}")
    else:
        yield name, tree


def old_leaves(folder: Path) -> Iterator[tuple[str, str, Any]]:
    """Yield former name, present name and value of every leaf of the old reports."""
    for file in sorted(folder.glob("*.json")):
        for name, value in leaves(json.loads(file.read_text()), file.stem):
            stage, _, rest = name.partition(".")
            now = f"{FILES.get(stage, stage)}.{rest}"
            for pattern, new in NAMES:
                now = re.sub(pattern, new, now)
            yield name, now, value


def new_leaves(folder: Path) -> dict[str, Any]:
    """Return the leaves of the details of a new run by dotted name."""
    return {
        name: value
        for file in sorted((folder / "details").glob("*.json"))
        for name, value in leaves(json.loads(file.read_text()), file.stem)
    }


def different_columns(old: Path, new: Path) -> Iterator[str]:
    """Yield a line for every column of an old table that is not the same in the new one."""
    for file in sorted(old.glob("*.csv")):
        before = pd.read_csv(file, dtype=str, keep_default_na=False)
        other = new / TABLES.get(file.name, file.name)
        if not other.is_file():
            yield f"{file.name}: not there"
            continue
        after = pd.read_csv(other, dtype=str, keep_default_na=False)
        for column in before:
            name = COLUMNS.get(str(column), str(column))
            name = str(column) if str(column) in after else name
            if name not in after:
                yield f"{file.name}: {column} is not there"
            elif before[column].tolist() != after[name].tolist():
                yield f"{file.name}: {column} differs"


def main(old: Path, new: Path) -> int:
    """Print what differs and how many figures are equal; return 1 if anything differs."""
    found = new_leaves(new)
    equal, wrong = 0, list(different_columns(old, new))
    for before, now, value in old_leaves(old):
        if found.get(now, []) == _renamed(value):
            equal += 1
        else:
            wrong.append(f"{before}: {value} -> {now}: {found.get(now, 'not there')}")
    print("\n".join([*wrong, f"{equal} figures are equal, {len(wrong)} are not"]))
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:])))
