"""An existing output that the user names is replaced only if this program made it."""

import os
from collections.abc import Callable
from pathlib import Path

from twincam.files.atomic import partial_path
from twincam.files.errors import UserError


def resolve_output(target: Path, option: str, is_own: Callable[[Path], bool], kind: str) -> Path:
    """Return the path to write to: ``target`` with links resolved.

    Args:
        target: the value of ``option``.
        option: of the command line, for the message.
        is_own: returns whether this program wrote an existing file or folder.
        kind: what may exist there, in words.

    Raises:
        UserError: ``target`` is not a name, something else exists there or at its partial path,
            links form a loop, or the folder above is not writable.
    """
    if target.name in ("", ".."):
        raise UserError(
            f"{option} {str(target)!r}: expected a name to write to; name a path inside it"
        )
    place = Path(os.path.realpath(target))
    above = next(folder for folder in place.parents if os.path.lexists(folder))
    if not (above.is_dir() and os.access(above, os.W_OK | os.X_OK)):
        raise UserError(
            f"{above}: expected a folder that can be written to; give {option} another path"
        )
    for path in (place, partial_path(place)):
        taken = os.path.lexists(path) or (path == place and target.exists())
        if taken and not is_own(path):
            raise UserError(
                f"{path}: expected {kind}, found something else; "
                f"move it away or give {option} another name"
            )
    return place
