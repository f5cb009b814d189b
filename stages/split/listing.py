"""Find the files of every class, in either layout, without opening one."""

from pathlib import Path
from typing import NamedTuple

from stages.common.errors import UserError
from stages.common.folders import listed, subfolders, visible, walk

SPLITS = ("train", "val", "test")


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
    folders = subfolders(root)
    given = bool({"train", "val"} & set(folders))
    if given:
        _check_splits(root, folders)
    classes = {split: subfolders(root / split) for split in (folders if given else [""])}
    _check_classes(root, classes)
    entries = []
    for split, labels in classes.items():
        for label in labels:
            folder = root / split / label
            found = [
                Entry(path.relative_to(root).as_posix(), label, split, fault)
                for path, fault in walk(folder)
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
    return sum(not entry.is_dir() for folder in folders for entry in visible(folder))


_CURE = (
    "correct data.root in params.yaml, or put the images there (`dvc pull` fetches tracked ones)"
)


def _check_splits(root: Path, folders: list[str]) -> None:
    if missing := [name for name in ("train", "val") if name not in folders]:
        raise UserError(
            f"{root}: expected train/ and val/ side by side, but {missing[0]}/ is missing among "
            f"{listed(folders)}; add it, or move the class folders of a single set into {root}"
        )
    if unknown := [name for name in folders if name not in SPLITS]:
        raise UserError(
            f"{root}: expected only train/, val/ and test/ in a given split, but found "
            f"{listed(unknown)} too; move that elsewhere"
        )


def _check_classes(root: Path, classes: dict[str, list[str]]) -> None:
    known = classes.get("train", classes.get("", []))
    if len(known) < 2:
        found = f"found only {listed(known)}" if known else "found none"
        where = root / "train" if "train" in classes else root
        raise UserError(
            f"{where}: expected a folder per class, two or more, but {found}; "
            "put the images of each class into a folder of its own"
        )
    for split, labels in classes.items():
        if unknown := sorted(set(labels) - set(known)):
            raise UserError(
                f"{root / split}: class {listed(unknown)} is not in train/, which has "
                f"{listed(known)}; add it there or remove it here"
            )
    if absent := sorted(set(known) - set(classes.get("val", known))):
        raise UserError(
            f"{root / 'val'}: class {listed(absent)} of train/ is missing; add images of it, or "
            "remove the class from train/"
        )
