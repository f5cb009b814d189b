"""Find the files of every class, in either layout, without opening one."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from stages.common.errors import UserError

SPLITS = ("train", "val", "test")
_HIDDEN = {"thumbs.db", "desktop.ini", "__macosx"}


class Entry(NamedTuple):
    """A file below a class folder: path relative to the root, its label, its given split or ""."""

    path: str
    label: str
    split: str
    fault: str = ""


def find_files(root: Path) -> list[Entry]:
    """List what lies in the class folders of ``root``, sorted by path.

    ``root`` holds a folder per class, or train/, val/ and optionally test/ that do. Hidden files
    are passed over, links are followed. A folder that cannot be entered is an entry with a fault.

    Raises:
        UserError: no such folder, fewer than two classes, a class without files, or an incomplete
            given split.
    """
    if not root.is_dir():
        came = "it is a file" if root.exists() else "it is not there"
        raise UserError(f"{root}: expected a folder with a folder per class, but {came}; {_CURE}")
    folders = _folders(root)
    given = bool({"train", "val"} & set(folders))
    if given:
        _check_splits(root, folders)
    classes = {split: _folders(root / split) for split in (folders if given else [""])}
    _check_classes(root, classes)
    entries = []
    for split, labels in classes.items():
        for label in labels:
            folder = root / split / label
            found = [
                Entry(path.relative_to(root).as_posix(), label, split, fault)
                for path, fault in _walk(folder, frozenset())
            ]
            if not found:
                raise UserError(
                    f"{folder}: no file in this class folder; add images or remove the folder"
                )
            entries += found
    return sorted(entries)


def loose_files(root: Path) -> int:
    """Count the files that lie beside the class folders and so belong to no class."""
    folders = [root, *(root / split for split in SPLITS if (root / split).is_dir())]
    return sum(not entry.is_dir() for folder in folders for entry in _visible(folder))


_CURE = (
    "correct data.root in params.yaml, or put the images there (`dvc pull` fetches tracked ones)"
)


def _check_splits(root: Path, folders: list[str]) -> None:
    if missing := [name for name in ("train", "val") if name not in folders]:
        raise UserError(
            f"{root}: expected train/ and val/ side by side, but {missing[0]}/ is missing among "
            f"{_listed(folders)}; add it, or move the class folders of a single set into {root}"
        )
    if unknown := [name for name in folders if name not in SPLITS]:
        raise UserError(
            f"{root}: expected only train/, val/ and test/ in a given split, but found "
            f"{_listed(unknown)} too; move that elsewhere"
        )


def _check_classes(root: Path, classes: dict[str, list[str]]) -> None:
    known = classes.get("train", classes.get("", []))
    if len(known) < 2:
        found = f"found only {_listed(known)}" if known else "found none"
        where = root / "train" if "train" in classes else root
        raise UserError(
            f"{where}: expected a folder per class, two or more, but {found}; "
            "put the images of each class into a folder of its own"
        )
    for split, labels in classes.items():
        if unknown := sorted(set(labels) - set(known)):
            raise UserError(
                f"{root / split}: class {_listed(unknown)} is not in train/, which has "
                f"{_listed(known)}; add it there or remove it here"
            )
    if absent := sorted(set(known) - set(classes.get("val", known))):
        raise UserError(
            f"{root / 'val'}: class {_listed(absent)} of train/ is missing; add images of it, or "
            "remove the class from train/"
        )


def _listed(names: list[str], limit: int = 5) -> str:
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(map(repr, names[:limit])) + more


def _visible(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.iterdir()
        if not path.name.startswith(".") and path.name.lower() not in _HIDDEN
    )


def _folders(folder: Path) -> list[str]:
    return [path.name for path in _visible(folder) if path.is_dir()]


def _walk(folder: Path, above: frozenset[str]) -> Iterator[tuple[Path, str]]:
    real = os.path.realpath(folder)
    if real in above:
        yield folder, "a folder that leads back to itself"
        return
    try:
        inside = _visible(folder)
    except OSError as error:
        yield folder, error.strerror or str(error)
        return
    for path in inside:
        if os.path.isdir(path):
            yield from _walk(path, above | {real})
        else:
            yield path, ""
