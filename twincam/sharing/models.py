"""Compare the models of two revisions on the images that both evaluated."""

import sys
from contextlib import ExitStack, redirect_stdout
from pathlib import Path

import pandas as pd

from twincam.files.errors import UserError
from twincam.files.tables import read_table
from twincam.pages.rendering import markdown_text
from twincam.sharing.branch import content_hashes
from twincam.sharing.comparison import Paired, join, paired
from twincam.sharing.experiments import markdown
from twincam.sharing.revision import check_out, commit_of, revision, stage_that_writes, stale_stages

SPLIT, TREE = "data/split.csv", "the working tree"


def compare_models(root: Path, first: str, second: str | None, file: str) -> str:
    """Return Markdown on how the predictions of two revisions differ, for each split.

    Args:
        root: the project.
        first: branch, tag or commit.
        second: the same; None means the working tree.
        file: a table of predictions that a stage writes, such as ``reports/predictions.csv``.

    Raises:
        UserError: there is no such revision or table, its outputs are missing or not up to date
            with the revision's code and parameters, or the revisions have no evaluated image in
            common.
    """
    with ExitStack() as stack:
        tables = []
        for name in (first, second):
            folder = root
            if name is not None:
                folder = stack.enter_context(revision(root, commit_of(root, name)))
            tables.append(read_evaluated(root, folder, name or TREE, file))
    joined = join(*tables)
    if joined.empty:
        raise UserError(
            f"{file}: no image was evaluated by both {first} and {second or TREE} in the same "
            "split and with the same label; compare revisions with the same data"
        )
    return as_markdown(paired(joined), first, second or TREE, file) + not_compared(tables, joined)


def read_evaluated(root: Path, folder: Path, name: str, file: str) -> pd.DataFrame:
    """Return the predictions ``file`` of the revision in ``folder``, with content hashes.

    An image that is not in the split table, such as one of another source, is identified by its
    path. Each other source counts as a split, and so do the images judged without one source.
    """
    if stale := stale_stages(folder, stage_that_writes(folder, file)):
        raise UserError(
            f"{name}: stages that {file} depends on have not run since something changed: "
            f"{', '.join(stale)}; run `make repro` there and commit"
        )
    with redirect_stdout(sys.stderr):
        check_out(root, folder, name, (SPLIT, file))
    table = read_table(folder / file)
    split = table["split"].mask(table["split"] == "external", "external: " + table["source"])
    if "left_out" in table:
        split = split + ", without " + table["left_out"].astype(str)
    hashes = table["id"].map(content_hashes(folder)).fillna(table["path"])
    return table.assign(sha256=hashes, split=split)


def as_markdown(found: list[Paired], first: str, second: str, file: str) -> str:
    """Return the comparisons as a table with a row for each split, and a sentence on each."""
    rows = [
        (
            one.split,
            one.result.n,
            (one.result.first, one.result.first_low, one.result.first_high),
            (one.result.second, one.result.second_low, one.result.second_high),
            one.result.only_first,
            one.result.only_second,
            f"{one.result.p:.3f}",
            (one.result.difference, one.result.low, one.result.high),
        )
        for one in found
    ]
    heads = ["split", "n", f"A: {first}", f"B: {second}", "only A right", "only B right"]
    heads += ["McNemar's p", "B − A"]
    words = [
        f"- {markdown_text(one.split)}, n = {one.result.n}: {second} against {first} {one.points}: "
        f"{one.judgement} (exact p = {one.result.p:.3f})."
        for one in found
    ]
    table = markdown(pd.DataFrame(rows, columns=heads))
    return "\n".join([f"## {file}", "", table, "", *words])


def not_compared(tables: list[pd.DataFrame], joined: pd.DataFrame) -> str:
    """Return a line on the images that only one side evaluated, "" if there are none."""
    first, second = (len(table) - len(joined) for table in tables)
    if not first and not second:
        return ""
    return f"\n- Not compared: images that only A evaluated ({first}) or only B ({second})."
