"""T1: is a generator recognised that was left out, while its relatives were trained on?"""

from typing import Any

import numpy as np

from benchmarks.generalisation.candidates import FULL, Cell, cells, combine, score_direction
from benchmarks.generalisation.corpus import Corpus
from benchmarks.generalisation.judging import Figures, freeze
from stages.common.statistics import wilson

MIXTURE = "combined"
"""Made of the other generators' output: left out of training with each of them."""


def related_generators(views: Corpus, winners: dict[str, Figures]) -> list[dict[str, Any]]:
    """Return a row for each winner and each generator of cats-sd, trained without it."""
    about = views.about
    names = sorted(set(about.loc[about["source"] == "sd", "generator"]) - {""})
    table = []
    for title, winner in winners.items():
        recipe = winner.cell.recipe
        wanted = [cell for cell in cells() if cell.recipe == recipe and cell.eligible]
        for name in names:
            scored = score_direction(views, "sd", _needed(wanted, winner.cell), (name, MIXTURE))
            if winner.cell not in scored[recipe].scores:
                combine(scored[recipe], "sd", recipe)
            frozen = freeze(
                scored[recipe], scored[recipe].scores[winner.cell][FULL], "sd", winner.adjusted
            )
            rows = (scored[recipe].images["generator"] == name).to_numpy()
            table.append(
                {"model": title, **recall_row(name, (frozen.scores > frozen.threshold)[rows])}
            )
    return table


def _needed(wanted: list[Cell], cell: Cell) -> list[Cell]:
    return [cell] if cell in wanted else wanted


def recall_row(name: str, caught: np.ndarray) -> dict[str, Any]:
    """Return a generator's recall with n and its 95 % interval as cells of a table."""
    low, high = wilson(int(caught.sum()), len(caught))
    share = f"{caught.mean():.2f} ({low:.2f}–{high:.2f})"
    return {"left out": name, "n": len(caught), "recall (95 %)": share}
