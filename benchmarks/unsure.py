"""What the mean over deliveries and its margin change, on the scores of a finished run.

Used as ``python -m benchmarks.unsure path/to/project``, where `dvc repro evaluate` has run with
other sources in `data.external`. Nothing is trained. The rule before: the prediction of the image
as it is, unsure if any delivery flips it or its prediction set is not that class alone.
"""

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from benchmarks.tables import print_cells, print_heading, spelled
from twincam.confidence.calibration import fit_temperature, log_loss, logits_and_truth
from twincam.confidence.offsets import with_offsets
from twincam.confidence.prediction_sets import prediction_sets, thresholds, unsure_by_set
from twincam.confidence.scores import scores_of, untouched
from twincam.confidence.verdicts import Traces, fit_confidence, flips_by_delivery, verdicts_of
from twincam.deliveries import DELIVERIES
from twincam.files.deliveries import EXTERNAL, read_deliveries
from twincam.files.metrics import Estimate
from twincam.files.tables import read_logits
from twincam.statistics.estimates import difference, mean, share
from twincam.statistics.intervals import mcnemar
from twincam.statistics.margins import margins

ALPHA, MAX_ABSTENTION, SEED = 0.05, 0.1, 0
COVERAGES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5)
WEIGHTS: dict[str, Mapping[str, float]] = {
    "all the same": dict.fromkeys(DELIVERIES, 1.0),
    "as is alone": {"as is": 1.0},
    "as is half the weight": {**dict.fromkeys(DELIVERIES, 1.0), "as is": len(DELIVERIES) - 1.0},
    "mild: as is, JPEG 95, JPEG 75": dict.fromkeys(("as is", "JPEG 95", "JPEG 75"), 1.0),
}


DIFFERENCES = "accuracy minus all the same", "p", "NLL minus all the same"


class Rule(NamedTuple):
    """Of N images: whether the prediction is right, whether it is sure, and how sure."""

    right: np.ndarray
    sure: np.ndarray
    rank: np.ndarray


def weighted(
    delivered: pd.DataFrame, weights: Mapping[str, float], logits: list[str]
) -> pd.DataFrame:
    """Return the rows of the images as they are, with the weighted means of their logits."""
    own = untouched(delivered)
    weight = np.array([weights.get(name, 0.0) for name in DELIVERIES])
    values = delivered[logits].to_numpy(float).reshape(len(own), len(DELIVERIES), len(logits))
    means = np.einsum("ndk,d->nk", values, weight / weight.sum())
    return own.assign(**dict(zip(logits, means.T, strict=True)))


def rules(
    delivered: pd.DataFrame, out_of_fold: pd.DataFrame, classes: list[str]
) -> tuple[Rule, Rule]:
    """Return the rule before and the rule now on the images of ``delivered``."""
    plain, labels = untouched(delivered), untouched(delivered)["label"].to_numpy()
    logits, truth = logits_and_truth(plain, classes)
    limits, _ = thresholds(with_offsets(untouched(out_of_fold), classes), classes, ALPHA)
    flips = flips_by_delivery(delivered, classes).sum(axis=1).to_numpy()
    doubted = flips > 0
    if limits is not None:
        doubted |= unsure_by_set(prediction_sets(logits, limits, classes))
    before = Rule(logits.argmax(axis=1) == truth, ~doubted, margins(logits) - 1e3 * flips)
    scored = with_offsets(scores_of(out_of_fold, classes), classes)
    model = fit_confidence(scored, classes, ALPHA, MAX_ABSTENTION)
    now = verdicts_of(delivered, model, Traces(None, None), classes)
    right = (now.table["predicted"] == labels).to_numpy()
    return before, Rule(right, ~now.table["unsure"].to_numpy(), margins(now.scores))


def surest(rule: Rule, count: int) -> Estimate:
    """Return the accuracy of the ``count`` surest images."""
    return share(rule.right[np.argsort(-rule.rank, kind="stable")[:count]])


def parts_of(deliveries: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the evaluated splits, and each class of each other source, by name."""
    elsewhere = deliveries["split"] == EXTERNAL
    for name, rows in deliveries[~elsewhere].groupby("split"):
        yield str(name), rows
    for (source, label), rows in deliveries[elsewhere].groupby(["source", "label"]):
        yield f"{source}: {label}", rows


def print_weights(out_of_fold: pd.DataFrame, classes: list[str]) -> None:
    """Print how each choice of deliveries and weights does out of fold."""
    logits = [f"logit_{name}" for name in classes]
    kept = int(np.ceil(len(untouched(out_of_fold)) * (1 - MAX_ABSTENTION)))
    print_heading("weights", "n", "accuracy", "of the surest 90 %", "NLL", *DIFFERENCES)
    for name, weights in WEIGHTS.items():
        scored = weighted(out_of_fold, weights, logits)
        temperature, _ = fit_temperature(scored, classes)
        values, truth = logits_and_truth(scored, classes)
        right, loss = values.argmax(axis=1) == truth, log_loss(values / (temperature or 1), truth)
        if name == "all the same":
            reference = right, loss
        best = surest(Rule(right, right, margins(values)), kept)
        gain = difference(right, reference[0], SEED, "weights", name)
        worse = mean(loss - reference[1], SEED, "weights", name)
        p, nll = mcnemar(right, reference[0]), f"{loss.mean():.3f}"
        cells = spelled(share(right)), spelled(best), nll, spelled(gain), f"{p:.2f}"
        print_cells(name, len(right), *cells, spelled(worse))


def main() -> None:
    """Print Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("project", type=Path)
    data = parser.parse_args().project / "data"
    out_of_fold = read_logits(data / "out_of_fold.csv")
    deliveries = read_deliveries(data / "deliveries.csv")
    classes = sorted(out_of_fold["label"].unique())
    print_weights(out_of_fold, classes)
    found = {name: rules(rows, out_of_fold, classes) for name, rows in parts_of(deliveries)}
    rates = "right", "unsure", "right when sure"
    columns = [f"{rule}: {rate}" for rule in ("before", "now") for rate in rates]
    print_heading("images", "n", *columns, "now, as many sure as before")
    for name, pair in found.items():
        cells = [
            one
            for rule in pair
            for one in (share(rule.right), share(~rule.sure), share(rule.right[rule.sure]))
        ]
        cells.append(surest(pair[1], int(pair[0].sure.sum())))
        print_cells(name, len(pair[0].right), *map(spelled, cells))
    print_heading("right among the surest", "rule", *(f"{100 * one:.0f} %" for one in COVERAGES))
    for name, pair in found.items():
        for title, rule in zip(("before", "now"), pair, strict=True):
            counts = [int(np.ceil(one * len(rule.right))) for one in COVERAGES]
            print_cells(name, title, *(spelled(surest(rule, n)) for n in counts))


if __name__ == "__main__":
    main()
