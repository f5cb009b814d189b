"""What a person's marks in ``reviews.csv`` change: labels, and which images are left out."""

from collections.abc import Mapping

import pandas as pd

from stages.split.manifest import with_image_paths
from twincam.files.errors import UserError
from twincam.files.folders import listed


def apply_reviews(
    images: pd.DataFrame, reviews: pd.DataFrame, classes: Mapping[str, str]
) -> tuple[pd.DataFrame, list[dict[str, str]]]:
    """Give images their right labels and mark those that are left out.

    An image is left out if it is marked and no right label is given.

    Args:
        images: a row per usable image, columns path and label.
        reviews: from `twincam.files.reviews.read_reviews`.
        classes: the class of every file, usable or not, by its path.

    Returns:
        The images with a bool column ``left_out``; and path, mark, note, label and what was done
        for each review, sorted by path.

    Raises:
        UserError: a review names no file or a wrong label, or two name one file.
    """
    reviews = with_image_paths(reviews, list(classes), "reviews.csv").sort_values("path")
    _check(reviews, classes)
    right = dict(zip(reviews["path"], reviews["label"], strict=True))
    done = [
        {
            "path": path,
            "mark": mark,
            "note": note,
            "label": label,
            "done": _done(classes[path], label),
        }
        for path, mark, note, label in reviews.itertuples(index=False)
    ]
    paths = images["path"]
    label = [right.get(path) or label for path, label in zip(paths, images["label"], strict=True)]
    return images.assign(label=label, left_out=[right.get(path) == "" for path in paths]), done


def _done(before: str, label: str) -> str:
    return f"label {before} changed to {label}" if label else "left out"


def _check(reviews: pd.DataFrame, classes: Mapping[str, str]) -> None:
    labels = sorted(set(classes.values()))
    unknown = [path for path in reviews["path"] if path not in classes]
    if unknown:
        raise UserError(
            f"reviews.csv: no file below data.root is called {listed(unknown, 1)}; write paths "
            f"relative to data.root, such as {next(iter(classes))!r}, and remove the rows of files "
            "that are gone"
        )
    labelled = reviews[reviews["label"] != ""]
    for path, mark, label in labelled[["path", "mark", "label"]].itertuples(index=False):
        if mark != "mislabelled":
            raise UserError(
                f"reviews.csv: {path!r} is marked {mark} but has the label {label!r}; mark it "
                "mislabelled, or remove the label"
            )
        if label not in labels:
            raise UserError(
                f"reviews.csv: {path!r} has the unknown label {label!r}; write one of "
                f"{', '.join(map(repr, labels))}, or none to leave the image out"
            )
        if label == classes[path]:
            raise UserError(
                f"reviews.csv: {path!r} is marked mislabelled as {label!r}, which is its class; "
                "write another label, or remove the row"
            )
