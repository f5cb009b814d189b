"""Score the classifier on the evaluated splits and on other sources, with intervals."""

import numpy as np

from stages.evaluate.external import external_predictions
from stages.evaluate.figures import (
    confusion_figure,
    reliability_figure,
    risk_coverage_figure,
    roc_figure,
)
from stages.evaluate.judging import (
    Evidence,
    external_figures,
    judge,
    learn,
    reliability_diagrams,
    split_figures,
    traced_ids,
)
from stages.evaluate.params import Params
from stages.evaluate.scores import roc
from stages.evaluate.selective import risk_coverage
from stages.evaluate.words import in_words, knows
from stages.params import read_params
from twincam.figures.drawing import save_figure
from twincam.files.arrays import read_finite
from twincam.files.command_line import parse_flags
from twincam.files.deliveries import read_deliveries
from twincam.files.errors import run_stage
from twincam.files.messages import warn_unless_class
from twincam.files.metrics import read_metrics, write_metrics
from twincam.files.predictions import misclassified, predictions
from twincam.files.tables import (
    EVALUATED_SPLITS,
    class_names,
    read_logits,
    read_split,
    read_table,
    write_table,
)


def main(argv: list[str]) -> None:
    """Run the stage."""
    args = parse_flags(
        argv,
        __doc__,
        "params",
        "split",
        "embeddings",
        "audit-scores",
        "out-of-fold",
        "deliveries",
        "traces",
        "leave-one-source-out",
        "metrics",
        "predictions",
        "external-predictions",
        "misclassified",
        "roc",
        "risk-coverage",
        "confusion-png",
        "roc-png",
        "reliability-png",
        "risk-coverage-png",
    )
    params = read_params(args.params, Params)
    split = read_split(args.split)
    classes = class_names(split)
    warn_unless_class("evaluate", params.real_class, classes)
    audit = read_table(args.audit_scores)
    deliveries = read_deliveries(args.deliveries)
    traces = read_table(args.traces)
    evidence = Evidence(deliveries, traced_ids(traces), params.real_class)
    out_of_fold = read_logits(args.out_of_fold)
    chosen = split["split"].isin(EVALUATED_SPLITS).to_numpy()
    logits = read_finite(args.embeddings / "logits.npy")[chosen].astype(np.float64)

    learned = learn(out_of_fold, classes, params.evaluate.alpha)
    own = judge(predictions(split[chosen], logits, classes), logits, learned, evidence, classes)
    others = judge(*external_predictions(deliveries, classes), learned, evidence, classes)
    present = [name for name in EVALUATED_SPLITS if (own.table["split"] == name).any()]
    parts = {name: own.part("split", name) for name in present}

    roc_curves, risk_curves = roc(own.table, classes), risk_coverage(own.table)
    for path, table in ((args.predictions, own.table), (args.external_predictions, others.table)):
        write_table(path, table.assign(in_words=in_words(table, params.real_class)))
    write_table(args.misclassified, misclassified(own.table))
    write_table(args.roc, roc_curves)
    write_table(args.risk_coverage, risk_curves)
    save_figure(args.confusion_png, confusion_figure(own.table, classes))
    save_figure(args.roc_png, roc_figure(roc_curves))
    figures = {
        name: split_figures(part, audit, learned, classes, params.seed)
        for name, part in parts.items()
    }
    diagrams = reliability_diagrams(parts, learned, classes, params.seed)
    save_figure(args.reliability_png, reliability_figure(diagrams))
    save_figure(args.risk_coverage_png, risk_coverage_figure(risk_curves, figures))
    external = external_figures(others, learned, classes)
    trained = split[split["split"] == "train"]
    known = knows(trained, params.real_class, read_metrics(args.leave_one_source_out), external)
    elsewhere = {"external": external} if external else {}
    write_metrics(args.metrics, {**figures, **elsewhere, "knows": known})


if __name__ == "__main__":
    run_stage(main, "evaluate")
