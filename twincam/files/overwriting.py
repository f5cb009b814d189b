"""What a user names as output is replaced only if this program made it."""

import os
from collections.abc import Callable
from pathlib import Path

from twincam.files.atomic import partial_of
from twincam.files.errors import UserError


def place_to_write(target: Path, option: str, is_own: Callable[[Path], bool], kind: str) -> Path:
    """Return where ``target`` leads to, links followed.

    Args:
        target: the value of ``option``.
        option: of the command line, for the message.
        is_own: tells of something that stands there whether this program wrote it.
        kind: what may stand there, in words.

    Raises:
        UserError: ``target`` is no name, something else stands there or where it is written
            first, a link leads round in a circle, or no folder above can be written to.
    """
    if target.name in ("", ".."):
        raise UserError(f"{option} {str(target)!r}: expected a name to write to; name one below it")
    place = Path(os.path.realpath(target))
    above = next(folder for folder in place.parents if os.path.lexists(folder))
    if not (above.is_dir() and os.access(above, os.W_OK | os.X_OK)):
        raise UserError(
            f"{above}: expected a folder that can be written to; give {option} another place"
        )
    for path in (place, partial_of(place)):
        taken = os.path.lexists(path) or (path == place and target.exists())
        if taken and not is_own(path):
            raise UserError(
                f"{path}: expected {kind}, found something else; "
                f"move it away or give {option} another name"
            )
    return place
