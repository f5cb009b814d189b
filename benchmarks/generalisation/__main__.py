"""Score every candidate of docs/protocol.md on the family it was not trained on.

Used as ``python -m benchmarks.generalisation path/to/data``, a folder with `cats-ddpm`, `cats-sd`
and `oxford-cats`. Prints Markdown tables.
"""

import argparse
import sys
import time
from pathlib import Path

import joblib

from benchmarks.generalisation import baseline, corpus, judging
from benchmarks.generalisation.candidates import Cell, Scored, cells, combine, score_direction
from benchmarks.generalisation.judging import Figures, as_table, figures, markdown
from benchmarks.generalisation.pictures import FAMILIES, SOURCES, read_set
from benchmarks.generalisation.related import related_generators
from stages.traces.remakes import fit_networks

WORKERS = 2


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    arguments = argparse.ArgumentParser(prog="benchmarks.generalisation", description=__doc__)
    arguments.add_argument("data", type=Path)
    arguments.add_argument("--seed", type=int, default=0)
    return arguments


def main(argv: list[str]) -> None:
    """Print all tables of the protocol."""
    args = parser().parse_args(argv)
    started = time.monotonic()
    sets = {source: read_set(args.data, source, args.seed) for source in SOURCES}
    photographs = {
        family: [p.image for p in sets[family].pictures if not p.generator] for family in FAMILIES
    }
    fitted = joblib.Parallel(n_jobs=WORKERS)(
        joblib.delayed(fit_networks)(photographs[family], args.seed) for family in FAMILIES
    )
    networks = dict(zip(FAMILIES, fitted, strict=True))
    views = corpus.build(sets, networks, args.seed, WORKERS)
    _tell("views described", started)

    rows: dict[str, list[Figures]] = {}
    for own, other in (FAMILIES, FAMILIES[::-1]):
        scored = score_direction(views, own, cells())
        for recipe in ("equalised", "fitted"):
            combine(scored[recipe], own, recipe)
        rows[own] = [
            figures(scored[cell.recipe], cell, own, other, adjusted, args.seed)
            for cell in in_order(scored)
            for adjusted in (False, True)
        ]
        _tell(f"trained on {own}", started)
    for own, other in (FAMILIES, FAMILIES[::-1]):
        print(f"\n## Trained on {own}, tested on {other}: everything tried\n")
        print(markdown(as_table(rows[own])))
        print(f"\n### Trained on {own}: the choice (rule B), and what rule A would have chosen\n")
        chosen = judging.choose(rows[own])
        print(markdown(as_table([chosen, judging.choose_by_reverse(rows[own], rows[other])])))
        print(f"\n### Trained on {own}, second round: without any generator (rule C)\n")
        print(markdown(as_table([judging.choose_without_generators(rows[own])])))
    preset = judging.choose_preset(rows[FAMILIES[0]], rows[FAMILIES[1]])
    print("\n## The one cell for a preset (largest mean J): trained on ddpm, trained on sd\n")
    for family in FAMILIES:
        print(markdown(as_table([rows[family][preset]])) + "\n")
    winners = {
        "chosen (trained on sd)": judging.choose(rows["sd"]),
        "the preset's cell": rows["sd"][preset],
    }
    print("## T1: related generators, each left out of cats-sd\n")
    print(markdown(related_generators(views, winners)))
    print("\n## The default preset\n", flush=True)
    for title, table in baseline.tables(sets, networks, args.seed):
        print(f"### {title}\n\n{markdown(table)}\n", flush=True)
    _tell("done", started)


def in_order(scored: dict[str, Scored]) -> list[Cell]:
    """Return all cells scored: those of the protocol's list first, then the combinations."""
    listed = cells()
    extra = [cell for recipe in scored.values() for cell in recipe.scores if cell not in listed]
    return listed + extra


def _tell(what: str, started: float) -> None:
    print(f"{what}: {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
