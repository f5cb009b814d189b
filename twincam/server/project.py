"""The project that the app runs in: which pictures it knows, and where their reviews go."""

from collections.abc import Container, Mapping
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from ruamel.yaml import YAML

from twincam.files.errors import UserError
from twincam.files.reviews import COLUMNS, MARKS, add_reviews, read_reviews
from twincam.files.tables import read_split
from twincam.server.answers import RefusedError

LONGEST_NOTE = 300
"""Characters."""


class Known(NamedTuple):
    """An image of the project.

    ``path`` is relative to ``data.root``; ``folder`` is the class in whose folder it lies, which
    an earlier review may have changed to ``label``.
    """

    path: str
    label: str
    split: str
    folder: str


class Project(NamedTuple):
    """What the app knows of a project.

    Attributes:
        images: by the sha256 of their files.
        info: the folder of ``reviews.csv``; None if the app does not write it.
    """

    images: Mapping[str, Known]
    info: Path | None


def read_project(root: Path, reviews: bool) -> Project:
    """Read which images the project at ``root`` has.

    Args:
        root: its top folder.
        reviews: whether the app writes ``reviews.csv``.

    Raises:
        UserError: ``reviews`` are asked for, but there are no images or no folder for them.
    """
    table = root / "data/split.csv"
    info = reviews_folder(root) if reviews else None
    if not table.is_file():
        if reviews:
            raise UserError(f"{table}: not found; run `dvc repro` (or `dvc pull`) before --reviews")
        return Project({}, None)
    rows = read_split(table)
    classes = set(rows["label"])
    images = {
        sha256: Known(path, label, split, _folder(path, label, classes))
        for sha256, path, label, split in rows[list(_READ)].itertuples(index=False)
    }
    return Project(images, info)


_READ = ("sha256", "path", "label", "split")


def _folder(path: str, label: str, classes: Container[str]) -> str:
    return next((part for part in path.split("/")[:2] if part in classes), label)


def reviews_folder(root: Path) -> Path:
    """Return the folder that ``data.info`` names.

    Raises:
        UserError: it stands for nothing, or a stage makes it anew.
    """
    yaml = YAML(typ="safe")
    folder = str(yaml.load(root / "params.yaml")["data"]["info"])
    stages = yaml.load(root / "dvc.yaml")["stages"]
    maker = next((name for name, stage in stages.items() if folder in stage.get("outs", [])), None)
    if folder == "data/none" or maker:
        why = f"is made anew by the stage {maker}" if maker else "stands for nothing"
        raise UserError(
            f"data.info is {folder}, which {why}; name a folder of your own in params.yaml, such "
            "as data/info, to keep reviews in"
        )
    return root / folder


def review_of(project: Project, path: str) -> dict[str, str]:
    """Return mark, note and label of the review of ``path``, "" each if there is none."""
    empty = dict.fromkeys(COLUMNS[1:], "")
    if project.info is None:
        return empty
    table = read_reviews(project.info).set_index("path")
    return {name: str(table.loc[path, name]) for name in empty} if path in table.index else empty


def keep_review(project: Project, review: object) -> None:
    """Write one review to ``reviews.csv``; one with an empty mark is taken back.

    Args:
        project: one with a folder for reviews.
        review: a mapping with the text of `COLUMNS`.

    Raises:
        RefusedError: it is anything else, or `stages.split` would not take it.
        UserError: the table that is there cannot be read.
    """
    folders = {known.path: known.folder for known in project.images.values()}
    given = review if isinstance(review, dict) else {}
    if not all(isinstance(given.get(name), str) for name in COLUMNS):
        raise RefusedError(400, f"expected an object with the text of {', '.join(COLUMNS)}")
    row = {name: " ".join(given[name].split()) for name in ("mark", "note", "label")}
    path, label = given["path"], row["label"]
    if path not in folders:
        raise RefusedError(
            400, "no image of this project has that path; run `dvc repro` if it is new"
        )
    if row["mark"] not in ("", *MARKS):
        raise RefusedError(400, f"expected one of the marks {', '.join(MARKS)}, or none")
    others = {known.label for known in project.images.values()} - {folders[path]}
    if label and (row["mark"] != "mislabelled" or label not in others):
        raise RefusedError(400, "expected another class as label of a mislabelled image, or none")
    if len(row["note"]) > LONGEST_NOTE:
        raise RefusedError(400, f"expected a note of at most {LONGEST_NOTE} characters")
    assert project.info is not None
    add_reviews(project.info, pd.DataFrame([{"path": path, **row}], columns=list(COLUMNS)))
