"""Find the images of other sources, which are not used in training."""

from collections.abc import Sequence
from pathlib import Path

from stages.stability.pictures import Picture
from twincam.files.deliveries import EXTERNAL
from twincam.files.errors import UserError
from twincam.files.folders import is_sidecar, listed, subfolders, visible, walk
from twincam.images.decoding import image_id


def find_external(folder: Path, classes: Sequence[str]) -> list[Picture]:
    """List the files ``<source>/<class>/…`` in ``folder``, by source and path; none if empty.

    Hidden files and captions are ignored. A folder that cannot be opened is returned
    with a fault. Paths are relative to ``folder``.

    Raises:
        UserError: no such folder, a class that is not in ``classes``, or a source or a whole folder
            without a file in a class folder.
    """
    if not folder.is_dir():
        found = "it is a file" if folder.exists() else "it does not exist"
        raise UserError(f"{folder}: expected {_LAYOUT}, but {found}; {_FIX}")
    sources = subfolders(folder)
    if not sources and visible(folder):
        raise UserError(f"{folder}: expected {_LAYOUT}, but found no folder; {_FIX}")
    return [picture for source in sources for picture in _pictures(folder, source, classes)]


def loose_external(folder: Path) -> int:
    """Count the files outside of a class folder: next to the sources, or next to their classes."""
    folders = [folder, *(folder / source for source in subfolders(folder))]
    return sum(not path.is_dir() for place in folders for path in visible(place))


_LAYOUT = "a folder of <source>/<class>/ with images"
_FIX = "correct data.external in params.yaml (data/none: no other sources)"


def _pictures(folder: Path, source: str, classes: Sequence[str]) -> list[Picture]:
    labels = subfolders(folder / source)
    if unknown := [label for label in labels if label not in classes]:
        raise UserError(
            f"{folder / source}: {listed(unknown)} is not a class of the model, which has "
            f"{listed(list(classes))}; rename the folder to one of these, or move it elsewhere"
        )
    found = [
        (path.relative_to(folder).as_posix(), label, path, fault)
        for label in labels
        for path, fault in walk(folder / source / label)
        if not is_sidecar(path.name)
    ]
    if not found:
        raise UserError(
            f"{folder / source}: no file in a class folder of this source; expected {_LAYOUT}: "
            "put its images there, or move the source elsewhere"
        )
    return [
        Picture(image_id(f"external/{path}"), path, EXTERNAL, source, label, file, fault=fault)
        for path, label, file, fault in sorted(found)
    ]
