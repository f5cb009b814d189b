"""Measure the classifier under re-compression, blur, scaling, cropping, noise and brightness."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from stages.robustness.figures import Card, curves_figure, flips_picture, prediction_text
from stages.robustness.inference import choose, corrupted_squares, logits_by_condition
from stages.robustness.ladders import CONDITIONS
from stages.robustness.measures import (
    COLUMNS,
    by_corruption,
    curve,
    figures,
    first_flips,
    headlines,
)
from stages.robustness.params import Params
from twincam.figures.drawing import save_figure, save_picture, skipped_picture
from twincam.files.atomic import atomic_folder
from twincam.files.command_line import parse_flags
from twincam.files.errors import run_stage
from twincam.files.messages import skipped
from twincam.files.metrics import write_metrics
from twincam.files.params_file import read_params
from twincam.files.tables import class_names, read_split, write_table
from twincam.models.classifier import check_images
from twincam.models.runtimes import Source, opened

SHOWN = 24


def draw_flips(
    split: pd.DataFrame,
    squares: np.ndarray,
    logits: tuple[np.ndarray, np.ndarray],
    classes: Sequence[str],
    seed: int,
) -> Image.Image:
    """Return the picture of the images that flip first.

    Args:
        split: rows of ``data/split.csv``.
        squares: their images, bytes ``[N,S,S,3]``.
        logits: of the unmodified images ``[N,K]`` and under each condition ``[C,N,K]``.
        classes: the K labels.
        seed: of the noise.
    """
    clean, corrupted = logits
    ids = split["id"].to_numpy()
    cards = []
    for image, number in first_flips(clean, corrupted)[:SHOWN]:
        condition, only = CONDITIONS[number], [image]
        before, after = (
            prediction_text(clean[image], classes),
            prediction_text(corrupted[number, image], classes),
        )
        (changed,) = corrupted_squares(squares[only], condition, ids[only], seed)
        path = split["path"].iloc[image]
        cards.append(Card(path, squares[image], before, changed, condition.label(), after))
    return flips_picture(cards)


def main(argv: list[str]) -> None:
    """Run the stage; the figures show ``test`` if it exists, else ``val``."""
    args = parse_flags(
        argv,
        __doc__,
        *("params", "split", "images", "model"),
        *("metrics", "details", "curve", "figures"),
    )
    params = read_params(args.params, Params)
    split, seed = read_split(args.split), params.seed
    classes = class_names(split)
    source = Source(args.model, args.images, params.run)
    images = opened(source)[1]
    check_images(args.model, images)
    chosen, reasons = choose(split, params.robustness.images, seed)
    details: dict[str, Any] = skipped("robustness", "; ".join(reasons)) if reasons else {}
    tables = []
    with atomic_folder(args.figures) as folder:
        for name, rows in chosen.items():
            sampled = split.iloc[rows]
            labels = sampled["label"].map(classes.index).to_numpy()
            logits = logits_by_condition(source, rows, sampled["id"].to_numpy(), seed)
            clean = figures(labels, logits[0], seed, name)
            table = curve(labels, *logits, classes, seed)
            details[name] = {"clean": clean, **by_corruption(table)}
            tables.append(table.assign(split=name, condition=f"{name}: " + table["condition"]))
            save_figure(folder / "robustness.png", curves_figure(table, clean, name))
            first = draw_flips(sampled, images[rows], logits, classes, seed)
            save_picture(folder / "flips.png", first)
        if not tables:
            for picture in ("robustness.png", "flips.png"):
                save_picture(folder / picture, skipped_picture(details["skipped"]))
    write_table(args.curve, pd.concat(tables) if tables else pd.DataFrame(columns=COLUMNS))
    write_metrics(args.details, details)
    write_metrics(args.metrics, headlines(details))


if __name__ == "__main__":
    run_stage(main, "robustness")
