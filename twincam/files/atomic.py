"""Write files and folders atomically.

An output is written beside its target and then renamed, so a killed stage leaves the old one or
none. Names that end in ``.partial`` are git-ignored leftovers and may be removed.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from twincam.files.errors import UserError


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Yield a path beside ``target`` to write a file to; on success it is renamed to ``target``.

    An existing link is replaced, not the file that it points to, which may be in DVC's cache.

    Raises:
        UserError: ``target`` is not the name of a file, or exists and is not a file.
        OSError: always with the target's name, even if the system gave none (for a full disk).
    """
    _require_name(target)
    if target.exists() and not target.is_file():
        raise UserError(f"{target}: expected a file or nothing, found {_kind(target)}; name a file")
    with _partial(target) as partial:
        yield partial
        os.replace(partial, target)


@contextmanager
def atomic_folder(target: Path) -> Iterator[Path]:
    """Yield an empty folder beside ``target``; on success it is renamed to ``target``.

    An existing folder is replaced only if the new one contains every name in it, as when a stage is
    rerun by hand (DVC removes outputs before a run).

    Raises:
        UserError: ``target`` is not the name of a folder, exists and is not a folder, or contains
            files that the new folder lacks.
        OSError: as in `atomic_path`.
    """
    _require_name(target)
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise UserError(
            f"{target}: expected a folder or nothing, found {_kind(target)}; name another folder"
        )
    with _partial(target) as partial:
        partial.mkdir()
        yield partial
        if more := names_below(target) - names_below(partial):
            raise UserError(
                f"{target}: contains {min(more)}, which would be lost ({len(more)} in all); move "
                "it away or name another folder"
            )
        _remove(target)
        os.replace(partial, target)


def names_below(folder: Path) -> set[str]:
    """Return the paths below ``folder``, relative to it; links are not followed.

    ``.DS_Store``, which a file manager creates, is ignored.
    """
    found = (path for path in folder.rglob("*") if path.name != ".DS_Store")
    return {str(path.relative_to(folder)) for path in found}


def partial_path(target: Path) -> Path:
    """Return where ``target`` is first written; leftovers of a killed run there are removed."""
    return target.with_name(f".{target.name}.partial")


def _require_name(target: Path) -> None:
    if target.name in ("", ".."):
        raise UserError(f"{str(target)!r}: expected a file or folder name; name one inside it")


def _kind(path: Path) -> str:
    if path.is_symlink():
        return "a link"
    if path.is_dir():
        return "a folder"
    return "a file" if path.is_file() else "a device or pipe"


@contextmanager
def _partial(target: Path) -> Iterator[Path]:
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = partial_path(target)
    _remove(partial)
    try:
        yield partial
    except OSError as error:
        if error.filename in (None, str(partial)):
            error.filename = str(target)
        raise
    finally:
        _remove(partial)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path`` atomically."""
    with atomic_path(path) as partial:
        partial.write_bytes(content)


def write_text(path: Path, content: str) -> None:
    """Write ``content`` as UTF-8 with Unix line ends."""
    write_bytes(path, content.encode())
