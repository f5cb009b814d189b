"""Find the files of every class, in either layout, without opening them."""

from pathlib import Path
from typing import NamedTuple

from stages.split.layout import Layout, find_classes
from twincam.files.errors import UserError
from twincam.files.folders import visible, walk


class ClassFile(NamedTuple):
    """A file in a class folder, or below it.

    Attributes:
        path: relative to the root, POSIX.
        label: its class.
        split: its given split, "" if none.
        error: why a folder at this path cannot be read, "" for files.
    """

    path: str
    label: str
    split: str
    error: str = ""


def find_files(root: Path, layout: Layout = "auto") -> tuple[list[ClassFile], list[str], list[str]]:
    """List the files in the class folders of ``root``, sorted by path.

    Hidden files are ignored. A folder that cannot be read is listed with its error.

    Args:
        root: as for `stages.split.layout.find_classes`.
        layout: the same.

    Returns:
        The files; the paths of stray files, which lie beside the class folders and so belong to no
        class; and the given splits, [""] if there are none.

    Raises:
        UserError: no such folder, a class without files, a linked folder, or as `find_classes`.
    """
    if not root.is_dir():
        found = "it is a file" if root.exists() else "it does not exist"
        raise UserError(
            f"{root}: expected a folder with a folder per class, but {found}; correct data.root in "
            "params.yaml, or put the images there (`dvc pull` fetches tracked ones)"
        )
    classes = find_classes(root, layout)
    files = []
    for split, (folder, labels) in classes.items():
        for label in labels:
            own = [
                ClassFile(path.relative_to(root).as_posix(), label, split, error)
                for path, error in walk(folder / label)
            ]
            if not own:
                raise UserError(
                    f"{folder / label}: no file in this class folder; add images or remove the "
                    "folder"
                )
            files += own
    folders = {root, *(folder for folder, _ in classes.values())}
    stray_files = [
        path.relative_to(root).as_posix()
        for folder in folders
        for path in visible(folder)
        if not path.is_dir()
    ]
    return sorted(files), sorted(stray_files), list(classes)
