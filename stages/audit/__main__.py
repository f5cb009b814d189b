"""Measure how well the classes can be classified without the image content."""

import io
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image
from threadpoolctl import threadpool_limits

from stages.audit.contents import DESCRIPTORS, describe
from stages.audit.figures import leaks_picture, shortcuts_figure
from stages.audit.metadata import as_features, read_metadata
from stages.audit.params import Params
from stages.audit.shortcuts import audit, headlines, sentences, too_few
from twincam.figures.drawing import save_figure, save_picture, skipped_picture
from twincam.files.atomic import atomic_folder
from twincam.files.command_line import parse_flags
from twincam.files.errors import UserError, run_stage
from twincam.files.messages import skipped
from twincam.files.metrics import read_metrics, write_metrics
from twincam.files.params import require_settings
from twincam.files.params_file import read_params
from twincam.files.shards import read_shards
from twincam.files.tables import class_names, read_split, write_table
from twincam.images.decoding import decode
from twincam.images.parallel import in_order

SHOWN_LEAKS = 24


def describe_file(root: Path, path: str) -> dict[str, Any]:
    """Return the descriptors and the metadata of an original file."""
    return {"metadata": read_metadata(root / path), **describe(decode(root / path).image)}


def describe_square(jpeg_quality: int, square: np.ndarray) -> dict[str, Any]:
    """Return the same of a prepared image, bytes ``[S,S,3]``; its only metadata is the size."""
    image = Image.fromarray(square)
    encoded = io.BytesIO()
    image.save(encoded, "JPEG", quality=jpeg_quality)
    return {"metadata": {"bytes": encoded.tell()}, **describe(image)}


def by_descriptor(rows: list[dict[str, Any]]) -> dict[str, pd.DataFrame]:
    """Return a table ``[N,F]`` for each descriptor."""
    metadata = as_features(pd.DataFrame([row["metadata"] for row in rows]))
    vectors = {name: pd.DataFrame([row[name] for row in rows]) for name in DESCRIPTORS}
    return {"metadata": metadata, **vectors}


def draw_leaks(root: Path, dropped: list[dict[str, str]]) -> Image.Image:
    """Return the picture of the first images dropped as copies."""
    return leaks_picture(
        [
            (
                decode(root / leak["path"], at_least=256).image,
                decode(root / leak["copy_of"], at_least=256).image,
                f"{leak['path']}: excluded from {leak['split']}",
                f"{leak['kind']} copy of {leak['copy_of']}",
            )
            for leak in dropped[:SHOWN_LEAKS]
        ]
    )


def audited(
    split: pd.DataFrame, described: Mapping[str, list[dict[str, Any]]], params: Params
) -> tuple[dict[str, Any], list[pd.DataFrame]]:
    """Return the details by images and descriptor, and the table of predictions of each model.

    Args:
        split: rows of ``data/split.csv``.
        described: their descriptors, of the ``raw`` and of the ``harmonised`` images.
        params: of the stage.
    """
    details: dict[str, Any] = {}
    scores, classes = [], class_names(split)
    for images, rows in described.items():
        details[images] = {}
        for name, features in by_descriptor(rows).items():
            with threadpool_limits(1):
                details[images][name], table = audit(
                    split,
                    features,
                    classes,
                    params.audit.permutations,
                    params.seed,
                    name,
                )
            scores.append(table.assign(images=images, descriptor=name))
    details["sentences"] = sentences(details["raw"], details["harmonised"])
    return details, scores


def main(argv: list[str]) -> None:
    """Run the stage."""
    args = parse_flags(
        argv,
        __doc__,
        *("params", "root", "split", "split-json", "images", "preprocessing"),
        *("metrics", "details", "scores", "figures"),
    )
    params = read_params(args.params, Params)
    split, squares = read_split(args.split), read_shards(args.images)
    require_settings(args.preprocessing, params.prepare.model_dump(), "prepare")
    scores = [pd.DataFrame(columns=["images", "descriptor", "id", "split", "predicted"])]
    with atomic_folder(args.figures) as folder:
        if reason := too_few(split):
            details: dict[str, Any] = skipped("audit", reason)
            save_picture(folder / "audit.png", skipped_picture(reason))
        else:
            raw = partial(describe_file, args.root)
            quality = params.prepare.jpeg_quality
            described = {
                "raw": list(in_order(raw, list(split["path"]), "audit files")),
                "harmonised": list(
                    in_order(
                        lambda row: describe_square(quality, squares[row]),
                        range(len(squares)),
                        "audit images",
                    )
                ),
            }
            details, tables = audited(split, described, params)
            scores += tables
            save_figure(folder / "audit.png", shortcuts_figure(details))
        leaks = draw_leaks(args.root, read_metrics(args.split_json).get("dropped", []))
        save_picture(folder / "leaks.png", leaks)
    write_table(args.scores, pd.concat(scores, ignore_index=True))
    write_metrics(args.details, details)
    write_metrics(args.metrics, headlines(details))
    require_below(params.audit.max_shortcut_accuracy, details)


def require_below(limit: float | None, details: Mapping[str, Any]) -> None:
    """Raise `UserError` if a descriptor of the prepared images exceeds the accuracy ``limit``."""
    for name, found in details.get("harmonised", {}).items():
        if limit is not None and found["accuracy"].value > limit:
            raise UserError(
                f"{name} of the prepared images correctly classifies "
                f"{100 * found['accuracy'].value:.1f} % of val, above audit.max_shortcut_accuracy "
                f"{limit}; use other images, or raise the limit and read "
                "reports/details/audit.json"
            )


if __name__ == "__main__":
    run_stage(main, "audit")
