"""Show what a branch changed: a page that opens without a network, and Markdown for a review."""

import hashlib
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import vl_convert

from twincam.figures.cases import with_calibrated
from twincam.files.atomic import atomic_folder, names_below, write_text
from twincam.files.errors import UserError
from twincam.files.metrics import read_metrics
from twincam.files.overwriting import resolve_output
from twincam.files.tables import read_split, read_table
from twincam.pages.explanation import Explanation, safe_json
from twincam.pages.rendering import render
from twincam.pages.runs import RunFiles, pictures_of, read_run, records_of
from twincam.sharing.comparison import (
    changes,
    headlines,
    join,
    neighbours_in_common,
    paired,
    rows_to_show,
)
from twincam.sharing.revision import check_out, commit_of, dvc, revision, stale_stages

FILES = {
    "split": "data/split.csv",
    "images": "data/prepared/images",
    "embeddings": "data/embeddings",
    "predictions": "reports/predictions.csv",
    "deliveries": "data/deliveries.csv",
    "traces": "data/forensics.csv",
    "novelty": "data/novelty.csv",
    "heatmaps": "data/heatmaps",
    "twins": "reports/twins.csv",
    "shared": "data/shared.npy",
    "swapped": "data/swapped.npy",
    "flips": "data/flips.npy",
    "prototypes": "reports/prototypes.csv",
    "measurements": "data/prototypes",
}
"""Of a run, by their names in `RunFiles`."""
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
            check_out(root, folder, name, tuple(FILES.values()))
            require_files(folder, name)
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
        sides, images = side_by_side(rows, other, root, common)
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


def require_files(folder: Path, name: str) -> None:
    """Raise UserError if a run in ``folder`` lacks one of `FILES`."""
    if missing := [path for path in FILES.values() if not (folder / path).exists()]:
        raise UserError(
            f"{name}: expected {missing[0]}, which this version of TwinCAM writes, but its results "
            "are of an older one; merge this version there, run `make repro` and commit"
        )


def content_hashes(folder: Path) -> pd.Series:
    """Return the hash of each image's content by its ``id``, which depends only on its path."""
    return read_split(folder / "data" / "split.csv").set_index("id")["sha256"]


def read_predictions(folder: Path) -> pd.DataFrame:
    """Read the predictions of a run, with the ``sha256`` of each image."""
    table = with_calibrated(read_table(folder / "reports" / "predictions.csv"))
    return table.assign(sha256=table["id"].map(content_hashes(folder)))


def read_neighbours(folder: Path) -> pd.DataFrame:
    """Read the neighbours of a run: ``image, kind, neighbour``, with images as content hashes."""
    table = read_table(folder / "reports" / "twins.csv")
    known = content_hashes(folder)
    return table.assign(image=table["id"].map(known), neighbour=table["neighbour"].map(known))


def side_by_side(
    rows: Sequence[Any], before: Path, after: Path, common: pd.Series
) -> tuple[list[Side], dict[str, str]]:
    """Return the records of ``rows`` in two runs, and the pictures that these show.

    Args:
        rows: with a ``path`` and a ``sha256``.
        before: the folder of a run.
        after: likewise.
        common: the share of neighbours in common, by content.

    Returns:
        A side for each row; the pictures by ``before`` or ``after`` and the id.
    """
    paths = [row.path for row in rows]
    first, shown = records_in(before, paths)
    second, now = records_in(after, paths)
    sides = [
        Side(row, common[row.sha256], *records)
        for row, *records in zip(rows, first, second, strict=True)
    ]
    images = {f"before {key}": uri for key, uri in shown.items()}
    return sides, images | {f"after {key}": uri for key, uri in now.items()}


def records_in(folder: Path, paths: Sequence[str]) -> tuple[list[Explanation], dict[str, str]]:
    """Return the records of the evaluated images ``paths`` of a run, and their pictures by id."""
    names = ("evaluate", "explain", "forensics", "prototypes")
    details = {name: read_metrics(folder / "reports/details" / f"{name}.json") for name in names}
    run = read_run(RunFiles(**{name: folder / path for name, path in FILES.items()}), details)
    places = pd.Index(run.predictions["path"]).get_indexer(paths)
    records = records_of(run, places)
    for record in records:
        record["scope"] = details["evaluate"]["scope"]
    return records, pictures_of(run, records)


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
