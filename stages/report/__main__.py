"""Put every result into one page that opens without a network."""

import argparse
from pathlib import Path

from stages.common.artifacts import EVALUATED_SPLITS, read_metrics, read_table, write_text
from stages.common.errors import run_stage
from stages.common.figures import save_figure
from stages.common.pages import data_uri, render
from stages.report.page import PAGE, fitting_figure, panels_of

METRICS = (
    "split",
    "train",
    "audit",
    "crossval",
    "evaluate",
    "robustness",
    "deliver",
    "holdout",
    "traces",
    "explain",
    "faithfulness",
    "protopnet",
)
PICTURES = (
    "leaks",
    "audit",
    "contradicted",
    "confusion",
    "roc",
    "reliability",
    "risk_coverage",
    "robustness",
    "flips",
    "holdout",
    "traces",
    "peaks",
    "errors",
    "faithfulness",
)


def parser() -> argparse.ArgumentParser:
    """Return the command line of this stage."""
    arguments = argparse.ArgumentParser(prog="stages.report", description=__doc__)
    names = [f"{name}-json" for name in METRICS] + [
        f"{name.replace('_', '-')}-png" for name in PICTURES
    ]
    names += [
        "history",
        "predictions",
        "misclassified",
        "prototypes",
        "panels",
        "sheets",
        "decisions",
    ]
    for flag in (*names, "page", "fitting-png"):
        arguments.add_argument(f"--{flag}", type=Path, required=True)
    return arguments


def main(argv: list[str]) -> None:
    """Run the stage."""
    args = parser().parse_args(argv)
    metrics = {name: read_metrics(getattr(args, f"{name}_json")) for name in METRICS}
    predictions = read_table(args.predictions)
    wrong = read_table(args.misclassified)["id"]
    correct = predictions.loc[~predictions["id"].isin(wrong), "id"]
    prototypes = read_table(args.prototypes)
    found = metrics["evaluate"]
    scored = {name: found[name] for name in EVALUATED_SPLITS if name in found}
    save_figure(args.fitting_png, fitting_figure(read_table(args.history)))
    page = render(
        PAGE,
        {
            **metrics,
            "pictures": {name: getattr(args, f"{name}_png") for name in PICTURES},
            "scored": scored,
            "headline": list(scored)[-1],
            "classes": list(metrics["split"]["classes"]),
            "wrong_count": len(wrong),
            "evaluated_count": len(predictions),
            "wrong_panels": panels_of(args.panels, wrong.tolist()),
            "correct_panels": panels_of(args.panels, correct.tolist()),
            "decisions": {
                kind: panels_of(args.decisions, ids)
                for kind, ids in metrics["protopnet"]["decisions"].items()
            },
            "sheets": [args.sheets / f"{n:03d}.png" for n in prototypes["prototype"]],
            "fitting_uri": data_uri(args.fitting_png),
        },
    )
    write_text(args.page, page)


if __name__ == "__main__":
    run_stage(main, "report")
