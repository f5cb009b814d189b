"""Draw what explains each prediction: panels of single images, and contact sheets of all."""

import pandas as pd

from stages.panels.choice import choose_shown
from stages.panels.contradicted import contradicted_picture
from stages.panels.params import Params
from stages.panels.sheets import errors_sheet, peaks_sheet
from twincam.figures.cases import CaseFiles, case_of, read_explained
from twincam.figures.drawing import save_picture, text_picture
from twincam.figures.panels import draw_panel
from twincam.files.atomic import atomic_folder
from twincam.files.command_line import parse_flags
from twincam.files.errors import run_stage
from twincam.files.metrics import read_metrics
from twincam.files.params_file import read_params
from twincam.files.tables import read_table


def main(argv: list[str]) -> None:
    """Run the stage."""
    names = (name.replace("_", "-") for name in CaseFiles._fields)
    args = parse_flags(argv, __doc__, "params", *names, "contradicted", "crossval", "figures")
    params = read_params(args.params, Params)
    explained = read_explained(CaseFiles(*(getattr(args, name) for name in CaseFiles._fields)))
    queries, heat = explained.queries, explained.heat
    images, evaluated = explained.images, explained.rows
    rows = pd.Series(explained.ids.index, index=explained.ids)
    skipped = read_metrics(args.crossval).get("skipped")
    contradicted = (
        text_picture(f"Not measured: {skipped}.")
        if skipped
        else contradicted_picture(read_table(args.contradicted), images, rows)
    )
    with atomic_folder(args.figures) as folder:
        save_picture(folder / "peaks.png", peaks_sheet(queries, heat, images, evaluated))
        errors = errors_sheet(queries, heat, images, evaluated, explained.heat_scale)
        save_picture(folder / "errors.png", errors)
        save_picture(folder / "contradicted.png", contradicted)
        for index in choose_shown(queries, params.panels.correct, params.seed):
            panel = draw_panel(case_of(explained, int(index)))
            save_picture(folder / "cases" / f"{queries['id'].iloc[index]}.png", panel)


if __name__ == "__main__":
    run_stage(main, "panels")
