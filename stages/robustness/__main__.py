"""Measure what re-compression, blur, scaling, cropping, noise and light cost the classifier."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from stages.common.artifacts import (
    class_names,
    read_array,
    read_split,
    write_metrics,
    write_table,
)
from stages.common.backbones import device
from stages.common.classifier import check_images, read_classifier
from stages.common.determinism import make_torch_deterministic
from stages.common.errors import run_stage
from stages.common.figures import save_figure, save_picture, sentence_picture
from stages.common.messages import warn
from stages.common.params import read_params
from stages.robustness.figures import Card, curves_figure, flips_picture, in_words
from stages.robustness.inference import choose, corrupted_squares, logits_by_condition
from stages.robustness.ladders import CONDITIONS
from stages.robustness.measures import COLUMNS, as_metrics, curve, figures, first_flips
from stages.robustness.params import Params

SHOWN = 24


def parser() -> argparse.ArgumentParser:
    """Return the command line of this stage."""
    arguments = argparse.ArgumentParser(prog="stages.robustness", description=__doc__)
    for flag in ("params", "split", "images", "model"):
        arguments.add_argument(f"--{flag}", type=Path, required=True)
    for flag in ("metrics", "curve", "figure", "flips-png"):
        arguments.add_argument(f"--{flag}", type=Path, required=True)
    return arguments


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
        logits: theirs as they are ``[N,K]`` and under each condition ``[C,N,K]``.
        classes: the K labels.
        seed: of the noise.
    """
    clean, corrupted = logits
    ids = split["id"].to_numpy()
    cards = []
    for image, number in first_flips(clean, corrupted)[:SHOWN]:
        condition, only = CONDITIONS[number], [image]
        before, after = in_words(clean[image], classes), in_words(corrupted[number, image], classes)
        (changed,) = corrupted_squares(squares[only], condition, ids[only], seed)
        path = split["path"].iloc[image]
        cards.append(Card(path, squares[image], before, changed, condition.in_words(), after))
    return flips_picture(cards)


def main(argv: list[str]) -> None:
    """Run the stage; the pictures show ``test`` where there is one, else ``val``."""
    args = parser().parse_args(argv)
    params = read_params(args.params, Params)
    split, images, seed = read_split(args.split), read_array(args.images), params.seed
    classes = class_names(split)
    make_torch_deterministic(seed, "robustness", threads=params.run.threads)
    network = read_classifier(args.model)
    check_images(args.model, images)
    network.module.to(device())
    chosen, reasons = choose(split, params.robustness.images, seed)
    warn("robustness", *(f"left out: {reason}" for reason in reasons))
    metrics: dict[str, Any] = {"left_out": "; ".join(reasons)} if reasons else {}
    tables = []
    for name, rows in chosen.items():
        tried = split.iloc[rows]
        labels = tried["label"].map(classes.index).to_numpy()
        logits = logits_by_condition(network, images, rows, tried["id"].to_numpy(), seed)
        clean = figures(labels, logits[0], seed, name)
        table = curve(labels, *logits, classes, seed)
        metrics[name] = {"clean": clean, **as_metrics(table)}
        tables.append(table.assign(split=name, condition=f"{name}: " + table["condition"]))
        save_figure(args.figure, curves_figure(table, clean, name))
        save_picture(args.flips_png, draw_flips(tried, images[rows], logits, classes, seed))
    if not tables:
        sentence = sentence_picture(f"Not measured: {metrics['left_out']}.")
        save_picture(args.figure, sentence)
        save_picture(args.flips_png, sentence)
    write_table(args.curve, pd.concat(tables) if tables else pd.DataFrame(columns=COLUMNS))
    write_metrics(args.metrics, metrics)


if __name__ == "__main__":
    run_stage(main, "robustness")
