"""Determine whether the folders of a data set are its classes or its splits."""

import re
from pathlib import Path
from typing import Literal

from stages.split.names import SPLITS, appearance, split_of
from twincam.files.errors import UserError
from twincam.files.folders import is_sidecar, listed, subfolders, visible

Layout = Literal["auto", "classes"]

_WORDS = re.compile(r"[A-Z]?[^\W_A-Z]+|[A-Z]+(?![^\W_A-Z])")
_ANNOTATED = {"images", "labels", "annotations", "masks"}
_AS_CLASSES = "set data.layout=classes if these are classes"


def find_classes(root: Path, layout: Layout) -> dict[str, tuple[Path, list[str]]]:
    """Return, for each given split, its folder and the class folders in it; "" for no split.

    Args:
        root: holds a folder per class, or a folder per split that does.
        layout: "classes" treats every folder as a class, whatever its name.

    Raises:
        UserError: the folders are ambiguous, there are fewer than two classes, or the given split
            is incomplete.
    """
    folders = subfolders(root)
    named = {name: split_of(name) for name in folders}
    if layout == "auto":
        _check_names(root, folders)
    if layout == "classes" or not any(named.values()):
        classes = {"": (root, folders)}
    else:
        _check_splits(root, named)
        classes = {
            split: (root / name, subfolders(root / name))
            for name, split in sorted(named.items(), key=lambda item: SPLITS.index(item[1]))
        }
    _check_classes(classes)
    if layout == "auto":
        first, labels = next(iter(classes.values()))
        _check_level(first, labels)
    return classes


def _check_names(root: Path, folders: list[str]) -> None:
    """Raise UserError if names combine a class with different splits: "real_train", "real_val"."""
    first: dict[str, tuple[str, str]] = {}
    for name in folders:
        words = _WORDS.findall(name)
        splits = [split for split in map(split_of, words) if split]
        rest = "_".join(word for word in words if not split_of(word))
        if len(splits) != 1 or split_of(name):
            continue
        other, split = first.setdefault(rest.casefold(), (name, splits[0]))
        if split != splits[0]:
            raise UserError(
                f"{root}: expected a folder per class or per split, but {other!r} and {name!r} "
                f"name both; put the split first, as in {splits[0]}/{rest} in place of {name}, or "
                f"{_AS_CLASSES}"
            )


def _check_splits(root: Path, named: dict[str, str]) -> None:
    others = [name for name, split in named.items() if not split]
    splits = [name for name, split in named.items() if split]
    if others:
        raise UserError(
            f"{root}: expected either classes or splits, but found {listed(splits)}, which look "
            f"like splits, beside {listed(others)}; move one or the other elsewhere, or "
            f"{_AS_CLASSES}"
        )
    for split in SPLITS:
        same = [name for name in splits if named[name] == split]
        if len(same) > 1:
            raise UserError(
                f"{root}: {listed(same)} all look like the split {split!r}; keep one of them, or "
                f"{_AS_CLASSES}"
            )
        if not same and split != "test":
            raise UserError(
                f"{root}: expected train/ and val/ side by side, but found {listed(splits)} and no "
                f"{split}/; add it (rename test/ to val/ if you have no validation set), or move "
                f"the class folders of a single set into {root} to have them split, or "
                f"{_AS_CLASSES}"
            )


def _check_classes(classes: dict[str, tuple[Path, list[str]]]) -> None:
    folder, known = classes.get("train", classes.get("", (Path(), [])))
    if len(known) < 2:
        found = f"found only {listed(known)}" if known else "found none"
        deeper = [name for name in known if len(subfolders(folder / name)) > 1]
        hint = f" (is {folder / deeper[0]} the folder you mean?)" if deeper else ""
        way_out = f", or {_AS_CLASSES}" if "train" in classes else ""
        raise UserError(
            f"{folder}: expected a folder per class, two or more, but {found}{hint}; "
            f"put the images of each class into a folder of its own{way_out}"
        )
    for place, labels in classes.values():
        if unknown := sorted(set(labels) - set(known)):
            alike = [name for name in known if appearance(name) == appearance(unknown[0])]
            if alike:
                raise UserError(
                    f"{place}: class {unknown[0]!a} is {alike[0]!a} in train/, and only "
                    "case, spaces or the Unicode form differ; give both folders the same name"
                )
            raise UserError(
                f"{place}: class {listed(unknown)} is not in train/, which has "
                f"{listed(known)}; add it there or remove it here"
            )
    place, labels = classes.get("val", (folder, known))
    if absent := sorted(set(known) - set(labels)):
        raise UserError(
            f"{place}: class {listed(absent)} of train/ is missing; add images of it, or "
            "remove the class from train/"
        )


def _check_level(folder: Path, labels: list[str]) -> None:
    """Raise UserError if most class folders hold the same subfolders and hardly any files."""
    if set(map(str.casefold, labels)) <= _ANNOTATED:
        raise UserError(
            f"{folder}: expected a folder per class, but {listed(labels)} look like images and "
            "their annotations; put the images of each class into a folder of its own, or "
            f"{_AS_CLASSES}"
        )
    inside = {label: _subfolders(folder / label) for label in labels}
    names = {label: {path.name for path in paths} for label, paths in inside.items()}
    shared, holders = _shared(names)
    deeper = {
        label: names[label].union(*({path.name for path in _subfolders(path)} for path in paths))
        for label, paths in inside.items()
    }
    shared_deeper, deeper_holders = _shared(deeper)
    if not holders:
        shared, holders = shared_deeper, deeper_holders
    if not holders:
        return
    first = f"{holders[0]}/{shared[0]}" if shared[0] in names[holders[0]] else f"…/{shared[0]}"
    swap = f"as in {shared[0]}/{holders[0]} in place of {first}"
    choose = f"set data.root to one of {listed(holders)}"
    if not all(map(split_of, shared)):
        advice = (
            f"if {listed(shared)} are the classes, put them first, {swap} (data.source_pattern "
            f"reads the source from the path), or {choose}"
        )
    elif len(shared_deeper) > len(shared):
        advice = choose
    else:
        advice = f"put the split first, {swap}"
    raise UserError(
        f"{folder}: expected a folder per class, but {listed(holders)} hold the same folders "
        f"{listed(shared)}; {advice}; if {holders[0]!r} really is a class, set data.layout=classes"
    )


def _subfolders(folder: Path) -> list[Path]:
    """Return the folders in ``folder``; none if files other than sidecars outnumber them."""
    try:
        paths = visible(folder)
    except OSError:
        return []
    folders = [path for path in paths if path.is_dir()]
    files = [path for path in paths if not path.is_dir() and not is_sidecar(path.name)]
    return folders if len(files) <= len(folders) else []


def _shared(names: dict[str, set[str]]) -> tuple[list[str], list[str]]:
    """Return the names that most labels have, and the labels that have at least two of them.

    Both are empty unless most labels have at least two of these names.
    """
    every = sorted(set().union(*names.values()))
    common = [name for name in every if 2 * sum(name in own for own in names.values()) > len(names)]
    holders = [label for label, own in names.items() if len(own.intersection(common)) > 1]
    return (common, holders) if 2 * len(holders) > len(names) else ([], [])
