"""What lies in a folder of images: hidden files are passed over, links are followed."""

import os
from collections.abc import Iterator
from pathlib import Path

_HIDDEN = {"thumbs.db", "desktop.ini", "__macosx"}


def visible(folder: Path) -> list[Path]:
    """Return what lies in ``folder``, sorted."""
    return sorted(
        path
        for path in folder.iterdir()
        if not path.name.startswith(".") and path.name.lower() not in _HIDDEN
    )


def subfolders(folder: Path) -> list[str]:
    """Return the names of the folders in ``folder``, sorted."""
    return [path.name for path in visible(folder) if path.is_dir()]


def walk(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield every file below ``folder`` with an empty fault.

    A folder that cannot be entered, or that leads back to itself, is yielded with its fault.
    """
    yield from _walk(folder, frozenset())


def _walk(folder: Path, above: frozenset[str]) -> Iterator[tuple[Path, str]]:
    real = os.path.realpath(folder)
    if real in above:
        yield folder, "a folder that leads back to itself"
        return
    try:
        inside = visible(folder)
    except OSError as error:
        yield folder, error.strerror or str(error)
        return
    for path in inside:
        if os.path.isdir(path):
            yield from _walk(path, above | {real})
        else:
            yield path, ""


def listed(names: list[str], limit: int = 5) -> str:
    """Return the first ``limit`` of ``names``, quoted, and how many more there are."""
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(map(repr, names[:limit])) + more
