"""What a user names as output is replaced only if this program made it."""

import os
from collections.abc import Callable
from pathlib import Path

from stages.common.artifacts import partial_of
from stages.common.errors import UserError


def place_to_write(target: Path, option: str, is_own: Callable[[Path], bool], kind: str) -> Path:
    """Return where ``target`` leads to, links followed.

    Args:
        target: the value of ``option``.
        option: of the command line, for the message.
        is_own: tells of something that stands there whether this program wrote it.
        kind: what may stand there, in words.

    Raises:
        UserError: ``target`` is no name, or something else stands there or where it is written
            first.
    """
    if target.name in ("", ".."):
        raise UserError(f"{option} {str(target)!r}: expected a name to write to; name one below it")
    place = Path(os.path.realpath(target))
    for path in (place, partial_of(place)):
        if path.exists() and not is_own(path):
            raise UserError(
                f"{path}: expected {kind}, found something else; give {option} another name"
            )
    return place
