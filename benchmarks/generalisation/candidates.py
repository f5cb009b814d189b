"""The candidates of the protocol, in its order, and the scores that each gives to every image."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from benchmarks.generalisation import learners
from benchmarks.generalisation.corpus import Corpus
from benchmarks.generalisation.features import FEATURES, RESIDUALS
from benchmarks.generalisation.pictures import FOLDS
from stages.traces.remakes import REMAKES

EQUALISED = ("equalised", "fitted")
FULL, UNSEEN = "full", "own generators"
"""Names of fits: with everything, and without any fake of the own set; others name a remake."""


class Cell(NamedTuple):
    """One candidate; ``fakes`` is own, remakes, both or none; only ``eligible`` ones may win."""

    recipe: str
    features: str
    learner: str
    fakes: str
    eligible: bool


class Combination(NamedTuple):
    """Cells whose standardised scores are combined by their mean or maximum."""

    name: str
    members: tuple[tuple[str, str, str], ...]
    how: str


PAIR = (("residuals", "stiff", "both"), ("block 2", "stiff", "both"))
COMBINATIONS = (
    Combination("residuals + block 2", PAIR, "mean"),
    Combination("residuals + block 2", PAIR, "max"),
    Combination(
        "orders + chroma + channels + correlations + block 1",
        tuple(
            (name, "stiff", "both")
            for name in ("orders", "chroma", "channels", "correlations", "block 1")
        ),
        "mean",
    ),
    Combination(
        "residuals + residuals one class", (PAIR[0], ("residuals", "one class", "none")), "mean"
    ),
    Combination(
        "one class: residuals + block 2",
        (("residuals", "one class", "none"), ("block 2", "one class", "none")),
        "mean",
    ),
)


def cells() -> list[Cell]:
    """Return every candidate but the combinations."""
    listed = [Cell("native", name, "stiff", "own", False) for name in (*RESIDUALS, "residuals")]
    for fakes in ("own", "remakes"):
        listed += [Cell(r, name, "stiff", fakes, False) for r in EQUALISED for name in FEATURES]
    listed += [
        Cell(recipe, name, learner, "both", True)
        for recipe in EQUALISED
        for name in FEATURES
        for learner in learners.PENALTIES
    ]
    listed += [Cell(r, name, "one class", "none", True) for r in EQUALISED for name in FEATURES]
    return listed


class Scored(NamedTuple):
    """The images of one recipe that a direction scores, and each fit's scores of them.

    Columns of ``images``: source, index, generator, made, fold; ``sharpness`` is ``[N,2]``;
    ``scores`` maps a cell to its fits by name, each ``[N]``.
    """

    images: pd.DataFrame
    sharpness: np.ndarray
    scores: dict[Cell, dict[str, np.ndarray]]


def score_direction(
    corpus: Corpus, own: str, wanted: list[Cell], left_out: tuple[str, ...] = ()
) -> dict[str, Scored]:
    """Fit every wanted cell on the set ``own`` and score all images, by recipe.

    Args:
        corpus: all views.
        own: "ddpm" or "sd".
        wanted: cells.
        left_out: generators that take no part in training.
    """
    return {
        recipe: _score_recipe(corpus, own, recipe, list(of_recipe), left_out)
        for recipe, of_recipe in _by_recipe(wanted)
    }


def _by_recipe(wanted: list[Cell]) -> Iterator[tuple[str, list[Cell]]]:
    for recipe in dict.fromkeys(cell.recipe for cell in wanted):
        yield recipe, [cell for cell in wanted if cell.recipe == recipe]


def _score_recipe(
    corpus: Corpus, own: str, recipe: str, wanted: list[Cell], left_out: tuple[str, ...]
) -> Scored:
    about = corpus.about
    mine = about["family"].isin([own, ""])
    train = np.flatnonzero(
        mine
        & about["training"]
        & (about["recipe"] == recipe)
        & (about["source"] == own)
        & ~about["generator"].isin(left_out)
    )
    scoring = "equalised" if recipe == "native" else recipe
    score = np.flatnonzero(mine & ~about["training"] & (about["recipe"] == scoring))
    keys = ["source", "index", "generator", "made", "fold"]
    images = about.loc[score, keys].drop_duplicates().reset_index(drop=True)
    position = pd.MultiIndex.from_frame(images).get_indexer(
        pd.MultiIndex.from_frame(about.loc[score, keys])
    )
    count = np.bincount(position)

    def by_image(values: np.ndarray) -> np.ndarray:
        return np.bincount(position, values) / count

    rows = about.loc[train]
    kinds = np.where(
        rows["made"] != "",
        "remade " + rows["made"],
        np.where(rows["generator"] != "", "own " + rows["generator"], ""),
    ).astype(str)
    held, fold_of = rows["fold"].to_numpy(), images["fold"].to_numpy()
    outside = ((images["source"] != own) | images["generator"].isin(left_out)).to_numpy()
    scores: dict[Cell, dict[str, np.ndarray]] = {cell: {} for cell in wanted}
    for name in dict.fromkeys(cell.features for cell in wanted):
        parts = [corpus.parts[part] for part in FEATURES[name]]
        learn = np.concatenate([part[train] for part in parts], axis=1).astype(np.float64)
        judged = np.concatenate([part[score] for part in parts], axis=1).astype(np.float64)
        for fold in range(FOLDS):
            inside = held != fold
            fold_kinds = kinds[inside]
            centre, spread = learners.standardiser(learn[inside & (kinds == "")])
            known, new = (learn[inside] - centre) / spread, (judged - centre) / spread
            gram, cross = known @ known.T, new @ known.T
            for cell in (cell for cell in wanted if cell.features == name):
                for fit, chosen in fits(cell, fold_kinds):
                    if cell.learner == "one class":
                        values = learners.one_class(known[fold_kinds == ""], new)
                    else:
                        penalty = learners.PENALTIES[cell.learner]
                        values = learners.ridge(gram, cross, fold_kinds, chosen, penalty)
                    total = scores[cell].setdefault(fit, np.zeros(len(images)))
                    share = np.where(outside, 1 / FOLDS, fold_of == fold)
                    total += share * by_image(values)
    sharpness = np.column_stack(
        [by_image(column) for column in corpus.parts["sharpness"][score].T.astype(np.float64)]
    )
    return Scored(images, sharpness, scores)


def fits(cell: Cell, kinds: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Yield each fit of a cell: its name, and which training views take part, bool ``[N]``."""
    photographs = kinds == ""
    own = np.char.startswith(kinds, "own ")
    remade = np.char.startswith(kinds, "remade ")
    if cell.fakes == "none":
        yield FULL, photographs
        return
    full = photographs | {"own": own, "remakes": remade, "both": own | remade}[cell.fakes]
    yield FULL, full
    if cell.fakes == "both":
        yield UNSEEN, photographs | remade
    if cell.fakes != "own":
        for made in REMAKES:
            yield made, full & (kinds != f"remade {made}")


def combine(scored: Scored, own: str, recipe: str) -> None:
    """Add the combinations to the scores of a recipe, each fit from its members' same fit."""
    images = scored.images
    scale = (
        (images["source"] == own) & (images["generator"] == "") & (images["made"] == "")
    ).to_numpy()
    for combination in COMBINATIONS:
        members = [scored.scores[Cell(recipe, *member, True)] for member in combination.members]
        names = dict.fromkeys(fit for member in members for fit in member)
        cell = Cell(recipe, combination.name, combination.how, "both", True)
        scored.scores[cell] = {
            fit: learners.combined([m.get(fit, m[FULL]) for m in members], scale, combination.how)
            for fit in names
        }
