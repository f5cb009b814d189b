"""The contents of a folder of images: hidden files are ignored, linked folders are refused."""

import os
from collections.abc import Iterator
from pathlib import Path

from twincam.files.errors import UserError

_HIDDEN = {"thumbs.db", "desktop.ini", "__macosx", "@eadir", "$recycle.bin", "lost+found"}

NOTES = {
    *(".txt", ".caption", ".json", ".jsonl", ".xmp", ".xml", ".csv", ".tsv", ".yaml", ".yml"),
    *(".md", ".rst", ".html", ".htm", ".pdf", ".log", ".ini", ".toml", ".dvc", ".py", ".ipynb"),
    *(".sha256", ".md5", ".aae", ".thm", ".ds_store", ".pp3"),
}
"""Suffixes of captions, metadata, documents and code."""

SIDECARS = {
    *NOTES,
    *(".npy", ".npz"),
    *(".mov", ".mp4", ".m4v", ".avi", ".mkv", ".webm"),
    *(".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar"),
}
"""Suffixes of files that accompany images: `NOTES`, arrays, videos and archives."""

_NOTE_NAMES = {
    *("license", "licence", "copying", "notice", "readme", "authors", "changelog", "citation")
}


def visible(folder: Path) -> list[Path]:
    """Return the files and folders in ``folder`` that are not hidden, sorted."""
    return sorted(
        path
        for path in folder.iterdir()
        if not path.name.startswith(".") and path.name.lower() not in _HIDDEN
    )


def subfolders(folder: Path) -> list[str]:
    """Return the names of the folders in ``folder``, sorted.

    Raises:
        UserError: one of them is a link.
    """
    return [path.name for path in visible(folder) if _is_folder(path)]


def walk(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield every file below ``folder`` and "", and each folder that cannot be read and its error.

    Raises:
        UserError: a folder below is a link.
    """
    try:
        inside = visible(folder)
    except OSError as error:
        yield folder, error.strerror or str(error)
        return
    for path in inside:
        if _is_folder(path):
            yield from walk(path)
        else:
            yield path, ""


def require_no_links(folder: Path) -> None:
    """Raise UserError if a folder below ``folder`` is a link."""
    for _ in walk(folder):
        pass


def _is_folder(path: Path) -> bool:
    """Return whether ``path`` is a folder; refuse links to folders, which DVC does not follow."""
    if not os.path.isdir(path):
        return False
    if path.is_symlink():
        raise UserError(
            f"{path}: is a link to a folder, whose contents DVC neither tracks nor checks for "
            "changes; replace it by the folder itself (`cp -rL`), then `dvc add` again"
        )
    return True


def is_sidecar(path: str) -> bool:
    """Return whether a file accompanies images, judging by its suffix or, without one, its name."""
    name = os.path.basename(path).lower()
    return os.path.splitext(name)[1] in SIDECARS or name in _NOTE_NAMES


def listed(names: list[str], limit: int = 5) -> str:
    """Return the first ``limit`` of ``names``, quoted, and the number of the others."""
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(map(repr, names[:limit])) + more
