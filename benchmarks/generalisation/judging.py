"""The protocol's figures of one candidate in one direction, and the choice between candidates."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from benchmarks.generalisation.candidates import FULL, UNSEEN, Cell, Scored
from benchmarks.generalisation.pictures import fakes_by_generator
from benchmarks.generalisation.thresholds import RATE, without_sharpness
from stages.common.determinism import generator
from stages.common.ranking import auc
from stages.common.statistics import wilson
from stages.traces.remakes import REMAKES
from stages.traces.thresholds import conformal, worst_source

DRAWS, MOST_ALARMS = 2000, 0.10


class Figures(NamedTuple):
    """One row of the table; shares from 0 to 1, intervals 95 %."""

    cell: Cell
    adjusted: bool
    auc: float
    recalls: dict[str, float]
    macro: float
    macro_low: float
    macro_high: float
    alarms: float
    alarms_low: float
    alarms_high: float
    alarms_own: float
    alarms_oxford: float
    oxford_by_own: float
    own_by_oxford: float
    own_auc: float
    own_recall: float
    unseen: float
    remakes: float

    @property
    def j(self) -> float:
        """Return what rule B chooses by."""
        return (self.unseen + self.remakes) / 2

    @property
    def transfer(self) -> float:
        """Return the mean share of false alarms under the other source's threshold."""
        return (self.oxford_by_own + self.own_by_oxford) / 2


class Frozen(NamedTuple):
    """Scores ``[N]``, adjusted or not, and the threshold that the known photographs set."""

    scores: np.ndarray
    threshold: float


def freeze(scored: Scored, scores: np.ndarray, own: str, adjusted: bool) -> Frozen:
    """Freeze the threshold on the own and oxford photographs."""
    images = scored.images
    sources = images["source"].to_numpy(str)
    known = _photographs(images) & np.isin(sources, [own, "oxford"])
    if adjusted:
        scores = without_sharpness(scores, scored.sharpness, sources, known)
    return Frozen(scores, worst_source(scores[known], sources[known], RATE))


def _photographs(images: pd.DataFrame) -> np.ndarray:
    return ((images["generator"] == "") & (images["made"] == "")).to_numpy()


def figures(scored: Scored, cell: Cell, own: str, other: str, adjusted: bool, seed: int) -> Figures:
    """Return the figures of a candidate trained on ``own``, with ``other`` as unknown family."""
    images, fits = scored.images, scored.scores[cell]
    source = images["source"].to_numpy(str)
    photograph = _photographs(images)
    clean = (images["made"] == "").to_numpy()
    made = images["made"].to_numpy(str)
    generators = images["generator"].to_numpy(str)
    scores, threshold = freeze(scored, fits[FULL], own, adjusted)
    caught = scores > threshold
    mine, oxford, others = (photograph & (source == name) for name in (own, "oxford", other))
    tested, own_clean = clean & (source == other), clean & (source == own)
    hits = {
        name: caught[tested][rows] for name, rows in fakes_by_generator(generators[tested]).items()
    }
    alarms = caught[others]

    def macro(fit: str, rows: np.ndarray, names: np.ndarray) -> float:
        frozen = freeze(scored, fits.get(fit, fits[FULL]), own, adjusted)
        over = (frozen.scores > frozen.threshold)[rows]
        return float(np.mean([over[names[rows] == name].mean() for name in set(names[rows])]))

    own_fakes = own_clean & (generators != "")
    return Figures(
        cell,
        adjusted,
        auc(generators[tested] != "", scores[tested]),
        {name: float(hit.mean()) for name, hit in hits.items()},
        float(np.mean([hit.mean() for hit in hits.values()])),
        *macro_interval(list(hits.values()), seed),
        float(alarms.mean()),
        *wilson(int(alarms.sum()), len(alarms)),
        float(caught[mine].mean()),
        float(caught[oxford].mean()),
        float((scores[oxford] > conformal(scores[mine], RATE)).mean()),
        float((scores[mine] > conformal(scores[oxford], RATE)).mean()),
        auc(generators[own_clean] != "", scores[own_clean]),
        macro(FULL, own_fakes, generators),
        macro(UNSEEN, own_fakes, generators),
        float(np.mean([macro(name, made == name, made) for name in REMAKES])),
    )


def macro_interval(hits: list[np.ndarray], seed: int) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of the mean over generators of their recalls.

    Args:
        hits: for each generator whether each image is caught, bool ``[N]``.
        seed: of the draws of images within generators.
    """
    rng = generator(seed, "macro-recall")
    draws = [hit[rng.integers(0, len(hit), (DRAWS, len(hit)))].mean(axis=1) for hit in hits]
    low, high = np.percentile(np.mean(draws, axis=0), [2.5, 97.5])
    return float(low), float(high)


def choose(rows: list[Figures]) -> Figures:
    """Return the row that rule B chooses: nothing of the tested set enters."""
    allowed = [row for row in rows if row.cell.eligible]
    calm = [row for row in allowed if row.transfer <= MOST_ALARMS]
    if calm:
        return max(calm, key=lambda row: row.j)
    return min(allowed, key=lambda row: row.transfer)


def choose_without_generators(rows: list[Figures]) -> Figures:
    """Return the row that rule C chooses: no image of any generator enters, the own included."""
    allowed = [row for row in rows if row.cell.fakes == "remakes"]
    calm = [row for row in allowed if row.transfer <= MOST_ALARMS]
    return max(calm, key=lambda row: row.remakes)


def choose_by_reverse(rows: list[Figures], reverse: list[Figures]) -> Figures:
    """Return the row whose cell did best in the reverse direction (rule A)."""
    calm = [k for k, row in enumerate(reverse) if row.alarms <= MOST_ALARMS]
    best = max(calm, key=lambda k: reverse[k].macro)
    return rows[best]


def choose_preset(first: list[Figures], second: list[Figures]) -> int:
    """Return the position of the row with the largest mean J among those eligible both ways."""
    allowed = [
        k
        for k, (a, b) in enumerate(zip(first, second, strict=True))
        if a.cell.eligible and max(a.transfer, b.transfer) <= MOST_ALARMS
    ]
    return max(allowed, key=lambda k: first[k].j + second[k].j)


def as_table(rows: list[Figures]) -> list[dict[str, Any]]:
    """Return the rows as cells of a Markdown table."""
    return [
        {
            "views": row.cell.recipe,
            "features": row.cell.features,
            "learner": row.cell.learner,
            "fakes": row.cell.fakes,
            "adj.": "yes" if row.adjusted else "",
            "AUC": f"{row.auc:.2f}",
            **{name: f"{value:.2f}" for name, value in row.recalls.items()},
            "macro-recall (95 %)": f"{row.macro:.2f} ({row.macro_low:.2f}–{row.macro_high:.2f})",
            "false alarms (95 %)": f"{row.alarms:.2f} ({row.alarms_low:.2f}–{row.alarms_high:.2f})",
            "own, oxford": f"{row.alarms_own:.2f}, {row.alarms_oxford:.2f}",
            "oxford by own, own by oxford": f"{row.oxford_by_own:.2f}, {row.own_by_oxford:.2f}",
            "own AUC": f"{row.own_auc:.2f}",
            "own recall": f"{row.own_recall:.2f}",
            "unseen own": f"{row.unseen:.2f}" if row.cell.eligible else "",
            "remakes": f"{row.remakes:.2f}" if row.cell.fakes in ("both", "remakes") else "",
            "J": f"{row.j:.3f}" if row.cell.eligible else "",
        }
        for row in rows
    ]


def markdown(table: list[dict[str, Any]]) -> str:
    """Return rows as a Markdown table; all have the same keys."""
    lines = [list(table[0]), ["---"] * len(table[0]), *[list(row.values()) for row in table]]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)
