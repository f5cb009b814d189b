"""Score the classifier on the evaluated splits and on other sources, with intervals."""

import pandas as pd

from stages.evaluate.figures import (
    confusion_figure,
    reliability_figure,
    risk_coverage_figure,
    roc_figure,
)
from stages.evaluate.headlines import headlines
from stages.evaluate.left_out import draw_left_out
from stages.evaluate.params import Params
from stages.evaluate.scores import roc
from stages.evaluate.selective import risk_coverage
from stages.evaluate.splits import external_figures, reliability_diagrams, split_figures
from twincam.confidence.offsets import with_offsets
from twincam.confidence.scores import scores_of
from twincam.confidence.verdicts import (
    ConfidenceModel,
    Traces,
    fit_confidence,
    traced_ids,
    verdicts_of,
)
from twincam.confidence.words import remark_of, scope_of, statements
from twincam.figures.drawing import save_figure
from twincam.files.atomic import atomic_folder
from twincam.files.command_line import parse_flags
from twincam.files.deliveries import EXTERNAL, read_deliveries
from twincam.files.errors import run_stage
from twincam.files.messages import warn, warn_unless_class
from twincam.files.metrics import read_metrics, spelled, write_metrics
from twincam.files.params_file import read_params
from twincam.files.predictions import misclassified
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
        *("params", "split", "audit-scores", "out-of-fold"),
        *("deliveries", "traces", "leave-one-source-out"),
        *("metrics", "details", "predictions", "external-predictions", "misclassified"),
        *("roc", "risk-coverage", "figures"),
    )
    params = read_params(args.params, Params)
    split = read_split(args.split)
    classes = class_names(split)
    warn_unless_class("evaluate", params.real_class, classes)
    audit = read_table(args.audit_scores)
    deliveries = read_deliveries(args.deliveries)
    traces = Traces(traced_ids(read_table(args.traces)), params.real_class)
    left_out = read_metrics(args.leave_one_source_out)
    scored = scores_of(read_logits(args.out_of_fold), classes)

    settings = params.evaluate
    out_of_fold = with_offsets(scored, classes)
    model = fit_confidence(out_of_fold, classes, settings.alpha, settings.max_abstention)
    warn_of_unfitted(model)
    elsewhere = deliveries["split"] == EXTERNAL
    own = verdicts_of(deliveries[~elsewhere], model, traces, classes)
    others = verdicts_of(deliveries[elsewhere], model, traces, classes)
    present = [name for name in EVALUATED_SPLITS if (own.table["split"] == name).any()]
    parts = {name: own.part("split", name) for name in present}
    details = {
        name: split_figures(part, audit, model, classes, params.seed)
        for name, part in parts.items()
    }
    diagrams = reliability_diagrams(parts, model, classes, params.seed)
    roc_curves, risk_curves = roc(own.table, classes), risk_coverage(own.table)
    with atomic_folder(args.figures) as folder:
        save_figure(folder / "confusion.png", confusion_figure(own.table, classes))
        save_figure(folder / "roc.png", roc_figure(roc_curves))
        save_figure(folder / "reliability.png", reliability_figure(diagrams))
        save_figure(folder / "risk_coverage.png", risk_coverage_figure(risk_curves, details))
        draw_left_out(folder / "left_out_sources.png", left_out)

    for path, table in ((args.predictions, own.table), (args.external_predictions, others.table)):
        write_table(path, with_words(table, params.real_class))
    write_table(args.misclassified, misclassified(own.table))
    write_table(args.roc, roc_curves)
    write_table(args.risk_coverage, risk_curves)
    external = external_figures(others, model, classes, params.seed)
    trained = split[split["split"] == "train"]
    scope = scope_of(trained, params.real_class, left_out, spelled(external))
    if external:
        details["external"] = external
    fitted = {"confidence": model._asdict(), "scope": scope}
    write_metrics(args.details, {**details, **fitted})
    write_metrics(args.metrics, headlines(details))


def with_words(table: pd.DataFrame, real_class: str | None) -> pd.DataFrame:
    """Return the verdicts with the columns ``statement`` and ``remark``."""
    pairs = zip(table["predicted"], table["as_is"], strict=True)
    return table.assign(
        statement=statements(table, real_class), remark=[remark_of(*pair) for pair in pairs]
    )


def warn_of_unfitted(model: ConfidenceModel) -> None:
    """Warn of what could not be fitted, and why."""
    if model.no_temperature:
        warn("evaluate", f"temperature skipped: {model.no_temperature}")
    if model.no_limits:
        warn("evaluate", f"prediction sets skipped: {model.no_limits}")
    if model.no_least_margin:
        warn("evaluate", f"unsure by the margin skipped: {model.no_least_margin}")


if __name__ == "__main__":
    run_stage(main, "evaluate")
