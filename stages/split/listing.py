"""Find the files of every class, in either layout, without opening one."""

from pathlib import Path
from typing import NamedTuple

from stages.split.layout import Layout, find_classes
from twincam.files.errors import UserError
from twincam.files.folders import visible, walk


class Entry(NamedTuple):
    """A file below a class folder: path relative to the root, its label, its given split or ""."""

    path: str
    label: str
    split: str
    fault: str = ""


def find_files(root: Path, layout: Layout = "auto") -> tuple[list[Entry], list[str], list[str]]:
    """List what lies in the class folders of ``root``, sorted by path.

    Hidden files are passed over. A folder that cannot be entered is an entry with a fault.

    Args:
        root: as for `stages.split.layout.find_classes`.
        layout: the same.

    Returns:
        The files; the paths of others that lie beside the class folders and so belong to no class;
        and the given splits, [""] for none.

    Raises:
        UserError: no such folder, a class without files, a linked folder, or as `find_classes`.
    """
    if not root.is_dir():
        came = "it is a file" if root.exists() else "it is not there"
        raise UserError(
            f"{root}: expected a folder with a folder per class, but {came}; correct data.root in "
            "params.yaml, or put the images there (`dvc pull` fetches tracked ones)"
        )
    classes = find_classes(root, layout)
    entries = []
    for split, (folder, labels) in classes.items():
        for label in labels:
            found = [
                Entry(path.relative_to(root).as_posix(), label, split, fault)
                for path, fault in walk(folder / label)
            ]
            if not found:
                raise UserError(
                    f"{folder / label}: no file in this class folder; add images or remove the "
                    "folder"
                )
            entries += found
    places = {root, *(folder for folder, _ in classes.values())}
    loose = [
        path.relative_to(root).as_posix()
        for place in places
        for path in visible(place)
        if not path.is_dir()
    ]
    return sorted(entries), sorted(loose), list(classes)
