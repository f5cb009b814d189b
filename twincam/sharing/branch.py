"""Show what a branch changed: a page that opens without a network, and Markdown for a review."""

import hashlib
import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import vl_convert

from twincam.figures.cases import CaseFiles, Explained, read_explained
from twincam.files.atomic import atomic_folder, names_below, write_text
from twincam.files.errors import UserError
from twincam.files.overwriting import resolve_output
from twincam.files.tables import read_split, read_table
from twincam.pages.explanation import Explanation, safe_json
from twincam.pages.rendering import render
from twincam.sharing.comparison import (
    changes,
    headlines,
    join,
    neighbours_in_common,
    paired,
    rows_to_show,
)
from twincam.sharing.records import pictures_of, record_of
from twincam.sharing.revision import check_out, commit_of, dvc, revision, stale_stages

NEEDED = (
    "data/split.csv",
    "data/prepared/images",
    "data/prepared/masks",
    "data/embeddings",
    "data/heatmaps",
    "data/swapped.npy",
    "data/shared.npy",
    "reports/predictions.csv",
    "reports/twins.csv",
)
TEMPLATES = Path(__file__).parent
PAGE, MARKDOWN = "index.html", "diff.md"
SEAL = "<!-- SHA-256 of this page and diff.md: "


class Side(NamedTuple):
    """One image under both models, with its record of each."""

    row: Any
    neighbours_in_common: float
    before: Explanation
    after: Explanation


def compare(root: Path, base: str, target: Path) -> str:
    """Compare the working tree of ``root`` with the revision ``base``; return the Markdown.

    ``index.html`` and ``diff.md`` are written to the folder ``target``, which may be a link.

    Raises:
        UserError: there is no such revision, its outputs are in neither cache nor remote, one
            side's outputs are not up to date with its code and parameters, or ``target`` contains
            something else.
    """
    place = output_folder(target)
    commit = commit_of(root, base)
    with revision(root, commit) as other:
        for folder, name in ((root, "the working tree"), (other, base)):
            require_fresh(folder, name)
            check_out(root, folder, name, NEEDED)
        before, after = (read_predictions(folder) for folder in (other, root))
        joined = join(before, after)
        common = neighbours_in_common(read_neighbours(other), read_neighbours(root))
        rows = list(rows_to_show(joined).itertuples(index=False))
        context = {
            "base": base,
            "commit": commit[:10],
            "params": changes(json.loads(dvc(root, "params", "diff", commit, "--json"))),
            "headlines": headlines(
                json.loads(dvc(root, "metrics", "diff", commit, "--all", "--json"))
            ),
            "paired": paired(joined),
            "rows": rows,
            "changed_count": int((joined["predicted_before"] != joined["predicted_after"]).sum()),
            "only_before": len(before) - len(joined),
            "only_after": len(after) - len(joined),
            "neighbours_in_common": float(common.mean()),
        }
        runs = explained(other), explained(root)
        sides = list(side_by_side(rows, *runs, common))
        images = pictures_of_both(sides, *runs)
    page = render(
        TEMPLATES / "branch.html",
        {
            **context,
            "sides": sides,
            "images": images,
            "records": safe_json([[side.before, side.after] for side in sides]),
            "plots": plots(root, commit, base),
            "vega": vl_convert.javascript_bundle(),  # type: ignore[call-arg]  # the stub demands a default
        },
    )
    markdown = render(TEMPLATES / "branch.md", context)
    with atomic_folder(place) as folder:
        write_text(folder / PAGE, page + seal(page, markdown))
        write_text(folder / MARKDOWN, markdown)
    return markdown


def output_folder(target: Path) -> Path:
    """Return the folder given by ``--out``, if `compare` may write there."""
    kind = f"an empty folder or an earlier comparison as it was written ({PAGE}, {MARKDOWN})"
    return resolve_output(target, "--out", is_own_output, kind)


def is_own_output(folder: Path) -> bool:
    """Return whether ``folder`` is empty or contains only what `compare` wrote, unchanged."""
    if not folder.is_dir():
        return False
    names = names_below(folder)
    if not names:
        return True
    if names != {PAGE, MARKDOWN} or not all((folder / name).is_file() for name in names):
        return False
    page, markdown = (
        (folder / n).read_bytes().decode("utf-8", "replace") for n in (PAGE, MARKDOWN)
    )
    body, start, _ = page.rpartition(SEAL)
    return bool(start) and page == body + seal(body, markdown)


def seal(page: str, markdown: str) -> str:
    """Return a comment for the end of ``page`` that reveals later changes of either file."""
    return f"{SEAL}{hashlib.sha256(f'{page}{markdown}'.encode()).hexdigest()} -->\n"


def require_fresh(folder: Path, name: str) -> None:
    """Raise UserError if results in ``folder`` are not up to date with its code and parameters."""
    if stale := stale_stages(folder):
        raise UserError(
            f"{name}: stages that have not run since something changed: {', '.join(stale)}; "
            "run `make repro` there and commit, then compare again"
        )


def content_hashes(folder: Path) -> pd.Series:
    """Return the hash of each image's content by its ``id``, which depends only on its path."""
    return read_split(folder / "data" / "split.csv").set_index("id")["sha256"]


def read_predictions(folder: Path) -> pd.DataFrame:
    """Read the predictions of a run, with the ``sha256`` of each image."""
    table = read_table(folder / "reports" / "predictions.csv")
    return table.assign(sha256=table["id"].map(content_hashes(folder)))


def read_neighbours(folder: Path) -> pd.DataFrame:
    """Read the neighbours of a run: ``image, kind, neighbour``, with images as content hashes."""
    table = read_table(folder / "reports" / "twins.csv")
    known = content_hashes(folder)
    return table.assign(image=table["id"].map(known), neighbour=table["neighbour"].map(known))


def explained(folder: Path) -> Explained:
    """Read the explanations of every evaluated image of a run."""
    data, reports = folder / "data", folder / "reports"
    return read_explained(
        CaseFiles(
            split=data / "split.csv",
            images=data / "prepared" / "images",
            masks=data / "prepared" / "masks",
            embeddings=data / "embeddings",
            predictions=reports / "predictions.csv",
            evaluated=reports / "details" / "evaluate.json",
            explained=reports / "details" / "explain.json",
            heatmaps=data / "heatmaps",
            swapped=data / "swapped.npy",
            shared=data / "shared.npy",
            twins=reports / "twins.csv",
        )
    )


def side_by_side(
    rows: list[Any], before: Explained, after: Explained, common: pd.Series
) -> Iterator[Side]:
    """Yield both runs' records for each of ``rows``, which have a ``path`` and a ``sha256``."""
    for row in rows:
        records = [
            record_of(run, int((run.queries["path"] == row.path).argmax()))
            for run in (before, after)
        ]
        yield Side(row, common[row.sha256], *records)


def pictures_of_both(sides: Sequence[Side], before: Explained, after: Explained) -> dict[str, str]:
    """Return the pictures that ``sides`` show, by ``before`` or ``after`` and the id."""
    shown = {
        "before": pictures_of(before, [side.before for side in sides]),
        "after": pictures_of(after, [side.after for side in sides]),
    }
    return {f"{run} {key}": uri for run, found in shown.items() for key, uri in found.items()}


def plots(root: Path, commit: str, base: str) -> dict[str, Any]:
    """Return the Vega specification of every plot by name, with the data of both runs."""
    with tempfile.TemporaryDirectory() as pictures:
        printed = dvc(root, "plots", "diff", commit, "--json", "--out", pictures)
    found = json.loads(printed.replace(commit, base))["data"]
    return {
        name: versions[0]["content"]
        for name, versions in found.items()
        if versions and versions[0]["type"] == "vega"
    }
