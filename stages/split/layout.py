"""Tell whether the folders of a data set are its classes or its splits."""

import re
from pathlib import Path
from typing import Literal

from stages.common.errors import UserError
from stages.common.folders import listed, subfolders, visible

SPLITS = ("train", "val", "test")
Layout = Literal["auto", "classes"]

_SPELLINGS = {
    "train": {"train", "training", "trn"},
    "val": {"val", "valid", "validation", "validate", "dev", "devel", "development"},
    "test": {"test", "testing", "tst"},
}
_DECORATION = re.compile(r"sets?$|data$|images?$|imgs?$|splits?$|\d+$|^\d+")
_AS_CLASSES = "set data.layout=classes if these are classes"


def split_of(name: str) -> str:
    """Return the split that a folder's name stands for, "" for none.

    Case, separators, years, and endings such as "set" do not matter: "Train", "training_set" and
    "val2017" stand for train, train and val.
    """
    plain = re.sub(r"[\W_]", "", name.casefold())
    while plain and plain not in set().union(*_SPELLINGS.values()):
        shorter = _DECORATION.sub("", plain, count=1)
        if shorter == plain:
            return ""
        plain = shorter
    return next((split for split, names in _SPELLINGS.items() if plain in names), "")


def find_classes(root: Path, layout: Layout) -> dict[str, tuple[Path, list[str]]]:
    """Return, for each given split, its folder and the class folders in it; "" for no split.

    Args:
        root: holds a folder per class, or a folder per split that does.
        layout: "classes" takes every folder for a class, whatever its name.

    Raises:
        UserError: the folders can be read in more than one way, fewer than two classes, or an
            incomplete given split.
    """
    folders = subfolders(root)
    named = {name: split_of(name) for name in folders}
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
                f"{root}: {listed(same)} all look like the split {split!r}; leave one of them, or "
                f"{_AS_CLASSES}"
            )
        if not same and split != "test":
            raise UserError(
                f"{root}: expected train/ and val/ side by side, but {split}/ is missing among "
                f"{listed(splits)}; add it (a test/ on which nothing is chosen may serve as val/), "
                f"or move the class folders of a single set into {root} and have them split, or "
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
    """Raise UserError where all class folders hold the same folders and nothing else."""
    inside = [visible(folder / label) for label in labels]
    if not all(path.is_dir() for paths in inside for path in paths):
        return
    shared = sorted(set.intersection(*({path.name for path in paths} for paths in inside)))
    if len(shared) < 2:
        return
    if all(map(split_of, shared)):
        cure = f"put the split first, as in {shared[0]}/{labels[0]}"
    else:
        cure = (
            f"if those are the classes, put {labels[0]}/{shared[0]} at {shared[0]}/{labels[0]} "
            "(data.source_pattern reads the source from the path), or make one of these folders "
            "data.root"
        )
    raise UserError(
        f"{folder}: expected a folder per class, but {listed(labels)} all hold the folders "
        f"{listed(shared)}; {cure}; {_AS_CLASSES}, {labels[0]!r} for one"
    )
