"""Detect generator-like traces in the finest detail, trained on photographs without generators.

The model is trained on the training photographs and on their reconstructions by generator-like
processing. No generated image is used, so all generators are equally unseen.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stages.forensics.figures import scores_figure
from stages.forensics.params import Params
from stages.forensics.summary import COLUMNS, FOLDS, headlines, summarise, why_skipped
from stages.forensics.thresholds import conformal, fewest_scores, worst_source
from twincam.determinism import make_torch_deterministic
from twincam.figures.drawing import save_figure, save_picture, skipped_picture
from twincam.files.atomic import atomic_folder, write_bytes
from twincam.files.command_line import parse_flags
from twincam.files.deliveries import read_deliveries, untouched_external
from twincam.files.errors import UserError, run_stage
from twincam.files.folders import is_sidecar, walk
from twincam.files.messages import skipped, warn, warn_unless_class
from twincam.files.metrics import write_metrics
from twincam.files.params_file import read_params
from twincam.files.tables import EVALUATED_SPLITS, class_names, read_split, write_table
from twincam.forensics.detector import Detector, detector_file, mean_score
from twincam.near_duplicates.copies import copies_of

ELSEWHERE = "photographs"
"""The split of the images of ``forensics.photographs``."""


def images_of(
    args: argparse.Namespace, split: pd.DataFrame, real_class: str | None, rate: float
) -> pd.DataFrame:
    """Return every image to score, with its ``file``: training photographs first."""
    own = split[
        ((split["split"] == "train") & (split["label"] == real_class))
        | split["split"].isin(EVALUATED_SPLITS)
    ]
    own = own.assign(file=[args.root / path for path in own["path"]])
    external = untouched_external(read_deliveries(args.deliveries))
    external = external.assign(file=[args.external / path for path in external["path"]])
    files = photograph_files(args, split, external, rate)
    names = [path.relative_to(args.photographs).as_posix() for path in files]
    elsewhere = pd.DataFrame({"id": names, "path": names, "file": files})
    elsewhere = elsewhere.assign(split=ELSEWHERE, source=ELSEWHERE, label=real_class)
    order = {"train": 0, ELSEWHERE: 1}
    table = pd.concat([own, elsewhere, external], ignore_index=True)
    return table.sort_values(
        "split", key=lambda names: names.map(order).fillna(2), kind="stable", ignore_index=True
    )


def photograph_files(
    args: argparse.Namespace, split: pd.DataFrame, external: pd.DataFrame, rate: float
) -> list[Path]:
    """List ``forensics.photographs``, excluding captions and copies of images that are scored.

    Raises:
        UserError: there are some, but too few for a threshold.
    """
    found = [path for path, fault in walk(args.photographs) if not (fault or is_sidecar(path.name))]
    copies: dict[Path, str] = {}
    for root, known in ((args.external, external), (args.root, split)):
        copies |= copies_of(root, known, found, args.near_duplicate_distance, args.max_pixels)
    warn("forensics", *(f"skipped {path}: a copy of {copies[path]}" for path in sorted(copies)))
    usable = sorted(path for path in found if path not in copies)
    if 0 < len(usable) < (fewest := fewest_scores(rate)):
        raise UserError(
            f"forensics.photographs: expected at least {fewest} photographs for "
            f"forensics.target_fpr={rate:g}, found {len(usable)} in {args.photographs} that are no "
            "copies of images in data.root or data.external; add some, or set "
            "forensics.photographs to data/none"
        )
    return usable


def fit_and_score(
    table: pd.DataFrame, rate: float, max_pixels: int, seed: int
) -> tuple[pd.DataFrame, Detector, dict[str, Any]]:
    """Return ``table`` with ``score`` and ``traced``, the detector, and what set its threshold."""
    from stages.forensics.describing import Source, described, photographs
    from stages.forensics.model import cross_fit
    from stages.forensics.remakes import fit_networks

    sources = [Source(*row) for row in table[["id", "file"]].itertuples(index=False)]
    trained = (table["split"] == "train").to_numpy()
    count = int(trained.sum())
    networks = fit_networks(photographs(sources[:count], max_pixels), seed)
    scoring, training = described(sources[:count], networks, max_pixels, seed)
    scores, models = cross_fit(training, scoring, table.loc[trained, "group"].tolist(), seed)
    if count < len(table):
        others, _ = described(sources[count:], None, max_pixels, seed)
        scores = np.concatenate([scores, mean_score(models, others)])
    setting = table["split"].isin(["train", ELSEWHERE]).to_numpy()
    names = table["split"].to_numpy(str)
    threshold = worst_source(scores[setting], names[setting], rate)
    found = {
        "threshold": threshold,
        "set_by": {
            name: {"n": int((names == name).sum()), "threshold": conformal(own, rate)}
            for name in np.unique(names[setting])
            for own in [scores[names == name]]
        },
        "target_fpr": rate,
    }
    scored = table.assign(score=scores, traced=scores > threshold)
    return scored, Detector(models, threshold), found


def main(argv: Sequence[str]) -> None:
    """Run the stage."""
    args = parse_flags(
        argv,
        __doc__,
        *("params", "root", "split", "external", "deliveries", "photographs"),
        *("traces", "model", "metrics", "details", "figures"),
        integers=("max-pixels", "near-duplicate-distance"),
    )
    params = read_params(args.params, Params)
    split, rate = read_split(args.split), params.forensics.target_fpr
    trained = split[(split["split"] == "train") & (split["label"] == params.real_class)]
    with atomic_folder(args.figures) as folder:
        picture = folder / "forensics.png"
        if reason := why_skipped(trained, rate, FOLDS):
            if rate:
                warn_unless_class("forensics", params.real_class, class_names(split))
            table, detector = pd.DataFrame(columns=COLUMNS), None
            details = skipped("forensics", reason)
            save_picture(picture, skipped_picture(reason))
        else:
            make_torch_deterministic(params.seed, "traces", threads=params.run.threads)
            images = images_of(args, split, params.real_class, rate)
            table, detector, found = fit_and_score(images, rate, args.max_pixels, params.seed)
            details = {**found, **summarise(table)}
            save_figure(picture, scores_figure(table, found["threshold"], params.real_class))
    write_table(args.traces, table[COLUMNS])
    write_bytes(args.model, detector_file(detector))
    write_metrics(args.details, details)
    write_metrics(args.metrics, headlines(table, params.real_class))


if __name__ == "__main__":
    run_stage(main, "forensics")
