"""Put every result into one page that opens without a network."""

from stages.report.page import PAGE, fitting_figure, panels_of, prototype_fitting_figure
from twincam.figures.drawing import save_figure
from twincam.figures.pages import data_uri, render
from twincam.files.atomic import write_text
from twincam.files.command_line import parse_flags
from twincam.files.errors import run_stage
from twincam.files.metrics import read_metrics
from twincam.files.tables import EVALUATED_SPLITS, read_table

METRICS = (
    "split",
    "train",
    "audit",
    "crossval",
    "evaluate",
    "robustness",
    "stability",
    "leave_one_source_out",
    "forensics",
    "explain",
    "faithfulness",
    "prototypes",
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
    "leave_one_source_out",
    "forensics",
    "peaks",
    "errors",
    "faithfulness",
)


def main(argv: list[str]) -> None:
    """Run the stage."""
    args = parse_flags(
        argv,
        __doc__,
        *(f"{name.replace('_', '-')}-json" for name in METRICS),
        *(f"{name.replace('_', '-')}-png" for name in PICTURES),
        *("history", "predictions", "misclassified", "prototypes", "panels"),
        *("prototypes-figures", "protopnet-history", "page", "fitting-png"),
        "protopnet-fitting-png",
    )
    metrics = {name: read_metrics(getattr(args, f"{name}_json")) for name in METRICS}
    predictions = read_table(args.predictions)
    wrong = read_table(args.misclassified)["id"]
    correct = predictions.loc[~predictions["id"].isin(wrong), "id"]
    prototypes = read_table(args.prototypes)
    found = metrics["evaluate"]
    scored = {name: found[name] for name in EVALUATED_SPLITS if name in found}
    save_figure(args.fitting_png, fitting_figure(read_table(args.history)))
    losses = read_table(args.protopnet_history)
    save_figure(args.protopnet_fitting_png, prototype_fitting_figure(losses))
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
                kind: panels_of(args.prototypes_figures / "decisions", ids)
                for kind, ids in metrics["prototypes"]["decisions"].items()
            },
            "sheets": [
                args.prototypes_figures / "sheets" / f"{n:03d}.png" for n in prototypes["prototype"]
            ],
            "fitting_uri": data_uri(args.fitting_png),
            "protopnet_fitting_uri": data_uri(args.protopnet_fitting_png),
        },
    )
    write_text(args.page, page)


if __name__ == "__main__":
    run_stage(main, "report")
