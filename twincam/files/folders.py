"""What lies in a folder of images: hidden files are passed over, linked folders are refused."""

import os
from collections.abc import Iterator
from pathlib import Path

from twincam.files.errors import UserError

_HIDDEN = {"thumbs.db", "desktop.ini", "__macosx", "@eadir", "$recycle.bin", "lost+found"}

SIDECARS = {
    *(".txt", ".caption", ".json", ".jsonl", ".xmp", ".xml", ".csv", ".tsv", ".yaml", ".yml"),
    *(".md", ".rst", ".html", ".htm", ".pdf", ".log", ".ini", ".toml", ".npy", ".npz", ".dvc"),
    *(".py", ".ipynb", ".sha256", ".md5", ".aae", ".thm", ".ds_store", ".pp3"),
    *(".mov", ".mp4", ".m4v", ".avi", ".mkv", ".webm"),
    *(".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar"),
}
"""Endings of files that accompany images: captions, metadata, notes, videos, archives."""

_NOTES = {"license", "licence", "copying", "notice", "readme", "authors", "changelog", "citation"}


def visible(folder: Path) -> list[Path]:
    """Return what lies in ``folder``, sorted."""
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
    """Yield every file below ``folder`` with an empty fault; a folder that cannot be entered, too.

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
    """Raise UserError where a folder below ``folder`` is a link."""
    for _ in walk(folder):
        pass


def _is_folder(path: Path) -> bool:
    """Tell whether ``path`` is a folder; DVC does not follow a link to one."""
    if not os.path.isdir(path):
        return False
    if path.is_symlink():
        raise UserError(
            f"{path}: is a link to a folder, and DVC neither tracks what is behind it nor sees it "
            f"change; replace it by the folder itself (`cp -rL`), then `dvc add` again"
        )
    return True


def is_sidecar(path: str) -> bool:
    """Tell whether a file accompanies images, by its ending, or by its name if it has none."""
    name = os.path.basename(path).lower()
    return os.path.splitext(name)[1] in SIDECARS or name in _NOTES


def listed(names: list[str], limit: int = 5) -> str:
    """Return the first ``limit`` of ``names``, quoted, and how many more there are."""
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(map(repr, names[:limit])) + more
