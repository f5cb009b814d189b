"""Write every output atomically and in one stable form; read them back.

A file is written beside its target and renamed, so a killed stage leaves the old file or none.
Names that end in ``.partial`` are git-ignored and belong to nobody.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from twincam.files.errors import UserError


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Yield a path beside ``target`` to write a file to; it takes the target's name on success.

    A link that stands there is replaced, not what it leads to, which may be DVC's cache.

    Raises:
        UserError: ``target`` is no name of a file, or something that is no file stands there.
        OSError: with the target's name, also where the system gave none (a full disk, say).
    """
    _require_name(target)
    if target.exists() and not target.is_file():
        raise UserError(f"{target}: expected a file or nothing, found {_kind(target)}; name a file")
    with _partial(target) as partial:
        yield partial
        os.replace(partial, target)


@contextmanager
def atomic_folder(target: Path) -> Iterator[Path]:
    """Yield an empty folder beside ``target``; it takes the target's place on success.

    A folder that stands there goes if the new one has every name in it, as in a run by hand after
    another (DVC removes outputs before a run).

    Raises:
        UserError: ``target`` is no name of a folder, or what stands there is none or holds more.
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
                f"{target}: holds {min(more)}, which would be lost ({len(more)} such); move it "
                "away or name another folder"
            )
        _remove(target)
        os.replace(partial, target)


def names_below(folder: Path) -> set[str]:
    """Return the path of everything below ``folder``, relative to it; links are not followed.

    What a file manager leaves in each folder that it shows does not count.
    """
    found = (path for path in folder.rglob("*") if path.name != ".DS_Store")
    return {str(path.relative_to(folder)) for path in found}


def partial_of(target: Path) -> Path:
    """Return the place where ``target`` is written; what a killed run left there is removed."""
    return target.with_name(f".{target.name}.partial")


def _require_name(target: Path) -> None:
    if target.name in ("", ".."):
        raise UserError(f"{str(target)!r}: expected the name of what to write; name one below it")


def _kind(path: Path) -> str:
    if path.is_symlink():
        return "a link"
    if path.is_dir():
        return "a folder"
    return "a file" if path.is_file() else "a device or pipe"


@contextmanager
def _partial(target: Path) -> Iterator[Path]:
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = partial_of(target)
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
