"""Find the project that a command works on."""

from pathlib import Path

from twincam.files.errors import UserError


def project_root(start: Path) -> Path:
    """Return the top folder of the project that contains ``start``.

    It is the nearest folder at or above ``start`` with ``.dvc`` and ``dvc.yaml``. The search ends
    at the top of a git repository: another repository inside the project is not part of it.

    Raises:
        UserError: ``start`` is not in a project.
    """
    for folder in (start, *start.parents):
        if (folder / ".dvc").is_dir() and (folder / "dvc.yaml").is_file():
            return folder
        if (folder / ".git").exists():
            break
    raise UserError(
        f"{start}: expected the project's folder, which has dvc.yaml and .dvc, or one below it; "
        "change into it, or pass the path of the file if the command takes one"
    )
