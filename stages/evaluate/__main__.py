"""Score the classifier on the evaluated splits."""

import argparse
from pathlib import Path

from stages.common.artifacts import (
    EVALUATED_SPLITS,
    class_names,
    read_array,
    read_split,
    read_table,
    write_metrics,
    write_table,
)
from stages.common.errors import run_stage
from stages.common.figures import save_figure
from stages.common.params import read_params
from stages.common.predictions import misclassified, predictions
from stages.evaluate.beyond import beyond_shortcuts
from stages.evaluate.figures import confusion_figure, roc_figure
from stages.evaluate.params import Params
from stages.evaluate.scores import roc, scores


def parser() -> argparse.ArgumentParser:
    """Return the command line of this stage."""
    arguments = argparse.ArgumentParser(prog="stages.evaluate", description=__doc__)
    for flag in ("params", "split", "embeddings", "audit-scores"):
        arguments.add_argument(f"--{flag}", type=Path, required=True)
    for flag in ("metrics", "predictions", "misclassified", "roc", "confusion-png", "roc-png"):
        arguments.add_argument(f"--{flag}", type=Path, required=True)
    return arguments


def main(argv: list[str]) -> None:
    """Run the stage."""
    args = parser().parse_args(argv)
    seed = read_params(args.params, Params).seed
    split = read_split(args.split)
    classes = class_names(split)
    evaluated = split["split"].isin(EVALUATED_SPLITS).to_numpy()
    logits = read_array(args.embeddings / "logits.npy")
    table = predictions(split[evaluated], logits[evaluated], classes)
    curves = roc(table, classes)
    write_table(args.predictions, table)
    write_table(args.misclassified, misclassified(table))
    write_table(args.roc, curves)
    save_figure(args.confusion_png, confusion_figure(table, classes))
    save_figure(args.roc_png, roc_figure(curves))
    audit = read_table(args.audit_scores, ("id", "predicted"))
    by_split = {
        str(name): scores(rows, classes) | beyond_shortcuts(rows, audit, classes, seed)
        for name, rows in table.groupby("split")
    }
    write_metrics(args.metrics, by_split)


if __name__ == "__main__":
    run_stage(main, "evaluate")
