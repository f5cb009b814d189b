"""Put every result into one page that opens without a network."""

import argparse
from pathlib import Path

from stages.common.artifacts import read_metrics, read_table, write_text
from stages.common.errors import run_stage
from stages.common.figures import save_figure
from stages.common.pages import data_uri, render
from stages.report.page import PAGE, fitting_figure, panels_of


def parser() -> argparse.ArgumentParser:
    """Return the command line of this stage."""
    arguments = argparse.ArgumentParser(prog="stages.report", description=__doc__)
    for flag in ("split-json", "train-json", "evaluate-json", "explain-json", "protopnet-json"):
        arguments.add_argument(f"--{flag}", type=Path, required=True)
    for flag in ("history", "predictions", "misclassified", "prototypes"):
        arguments.add_argument(f"--{flag}", type=Path, required=True)
    for flag in ("audit-json", "audit-png", "leaks-png"):
        arguments.add_argument(f"--{flag}", type=Path, required=True)
    for flag in ("confusion-png", "roc-png", "panels", "sheets"):
        arguments.add_argument(f"--{flag}", type=Path, required=True)
    for flag in ("page", "fitting-png"):
        arguments.add_argument(f"--{flag}", type=Path, required=True)
    return arguments


def main(argv: list[str]) -> None:
    """Run the stage."""
    args = parser().parse_args(argv)
    data, train, evaluate, explain, protopnet = (
        read_metrics(path)
        for path in (
            args.split_json,
            args.train_json,
            args.evaluate_json,
            args.explain_json,
            args.protopnet_json,
        )
    )
    predictions = read_table(args.predictions, ("id",))
    wrong = read_table(args.misclassified, ("id",))["id"]
    correct = predictions.loc[~predictions["id"].isin(wrong), "id"]
    prototypes = read_table(args.prototypes)
    save_figure(args.fitting_png, fitting_figure(read_table(args.history)))
    page = render(
        PAGE,
        {
            "data": data,
            "train": train,
            "evaluate": evaluate,
            "explain": explain,
            "protopnet": protopnet,
            "audit": read_metrics(args.audit_json),
            "audit_png": args.audit_png,
            "leaks_png": args.leaks_png,
            "arch": train["arch"],
            "classes": list(data["classes"]),
            "counts": data["images"],
            "splits": ["train", "val", *(["test"] if "test" in evaluate else [])],
            "headline": "test" if "test" in evaluate else "val",
            "split_words": "the data's own split" if data["given_split"] else "split by hash",
            "wrong_count": len(wrong),
            "evaluated_count": len(predictions),
            "wrong_panels": panels_of(args.panels, wrong.tolist()),
            "correct_panels": panels_of(args.panels, correct.tolist()),
            "sheets": [args.sheets / f"{n:03d}.png" for n in prototypes["prototype"]],
            "confusion_png": args.confusion_png,
            "roc_png": args.roc_png,
            "fitting_uri": data_uri(args.fitting_png),
        },
    )
    write_text(args.page, page)


if __name__ == "__main__":
    run_stage(main, "report")
