"""Write all results to one page that needs no network connection."""

from stages.report.answers import questions
from stages.report.choice import choice_sentence, choose_shown
from stages.report.page import PAGE, fitting_figure, panels_of, prototype_fitting_figure
from twincam.figures.drawing import save_figure
from twincam.files.atomic import atomic_folder, write_text
from twincam.files.command_line import parse_flags
from twincam.files.errors import run_stage
from twincam.files.metrics import read_metrics
from twincam.files.tables import EVALUATED_SPLITS, headline_split, read_table
from twincam.pages.explanation import gallery_json
from twincam.pages.rendering import render
from twincam.pages.runs import RunFiles, pictures_of, read_run, records_of

DETAILS = (
    "split",
    "audit",
    "train",
    "crossval",
    "leave_one_source_out",
    "robustness",
    "stability",
    "forensics",
    "evaluate",
    "explain",
    "faithfulness",
    "prototypes",
)
"""The stages whose details the page shows."""
FIGURES = (
    "audit",
    "robustness",
    "forensics",
    "evaluate",
    "panels",
    "faithfulness",
    "prototypes",
)
"""The stages whose figures the page shows."""


def main(argv: list[str]) -> None:
    """Run the stage."""
    args = parse_flags(
        argv,
        __doc__,
        *(f"{name.replace('_', '-')}-json" for name in DETAILS),
        *(f"{name}-figures" for name in FIGURES),
        *("history", "protopnet-history", "misclassified", *RunFiles._fields),
        *("page", "figures"),
    )
    details = {name: read_metrics(getattr(args, f"{name}_json")) for name in DETAILS}
    figures = {name: getattr(args, f"{name}_figures") for name in FIGURES}
    wrong = read_table(args.misclassified)["id"]
    found = details["evaluate"]
    run = read_run(RunFiles(*(getattr(args, name) for name in RunFiles._fields)), details)
    predictions = run.predictions
    correct = predictions.loc[~predictions["id"].isin(wrong), "id"]
    shown = choose_shown(predictions)
    records = records_of(run, shown)
    choice = choice_sentence(predictions, shown)
    headline = headline_split(found) or EVALUATED_SPLITS[0]
    cases, drawn = figures["panels"] / "cases", figures["prototypes"]
    decisions = details["prototypes"]["decisions"]
    with atomic_folder(args.figures) as folder:
        save_figure(folder / "fitting.png", fitting_figure(read_table(args.history)))
        losses = prototype_fitting_figure(read_table(args.protopnet_history))
        save_figure(folder / "protopnet_fitting.png", losses)
    page = render(
        PAGE,
        {
            **details,
            "figures": {**figures, "report": args.figures},
            "scored": {name: found[name] for name in EVALUATED_SPLITS if name in found},
            "headline": headline,
            "questions": questions(details, predictions, headline),
            "gallery": gallery_json(
                records, choice, found["scope"], details["split"].get("reviewed", [])
            ),
            "images": pictures_of(run, records),
            "classes": list(details["split"]["classes"]),
            "wrong_count": len(wrong),
            "evaluated_count": len(predictions),
            "wrong_panels": panels_of(cases, wrong.tolist()),
            "correct_panels": panels_of(cases, correct.tolist()),
            "decisions": {
                kind: panels_of(drawn / "decisions", decisions.get(kind, []))
                for kind in ("wrong", "correct")
            },
            "sheets": [
                drawn / "sheets" / f"{n:03d}.png" for n in run.prototypes.table["prototype"]
            ],
        },
    )
    write_text(args.page, page)


if __name__ == "__main__":
    run_stage(main, "report")
