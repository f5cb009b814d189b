"""Compare experiments, averaged over the seeds in which they differ, with intervals."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import filterfalse
from pathlib import Path
from typing import Any

import dvc.api
import numpy as np
import pandas as pd
from dvc.repo import Repo
from ruamel.yaml import YAML
from scipy.stats import t

from twincam.files.errors import UserError
from twincam.pages.rendering import markdown_text
from twincam.sharing.comparison import leaves
from twincam.sharing.revision import run_command
from twincam.sharing.storage import listed, outputs_of

FIGURES = {
    "accuracy": ("reports/evaluate.json", "accuracy"),
    "ROC AUC": ("reports/evaluate.json", "roc_auc"),
    "abstention rate": ("reports/evaluate.json", "abstention_rate"),
    "ProtoPNet accuracy": ("reports/prototypes.json", "accuracy"),
}
"""The columns of the table: the file and the name of the headline that each shows."""


def compare_experiments(root: Path, over: str) -> str:
    """Return a Markdown table with a row for each setting, its figures averaged over ``over``.

    It covers the finished experiments of the last commit, and the commit's own run.

    Raises:
        UserError: ``over`` is not a parameter, or no experiment has finished.
    """
    params = list(leaves(YAML(typ="safe").load(root / "params.yaml")))
    if over not in params:
        raise UserError(f"{over}: expected a parameter in params.yaml; name one, such as seed")
    rows = dvc.api.exp_show(str(root))
    found = [row for row in map(figures_of, rows) if row]
    blind = "; ".join(without_data(root, rows))
    if not found:
        advice = blind or "`dvc exp run --queue -S seed=1,2`"
        raise UserError(f"no run of this commit has finished; {advice}")
    table = by_setting(pd.DataFrame(found).drop_duplicates(params), params, over)
    waiting = [row["Experiment"] for row in rows if not finished(row)]
    unfinished = f"\nNot finished, so not included: {', '.join(waiting)}." if waiting else ""
    unfinished += f"\n{blind}." if blind else ""
    return (
        f"{markdown(table)}\n\nMeans over {over} with Student's 95 % interval of the mean: "
        f"how much a metric varies with {over}, not with other images.{unfinished}"
    )


def without_data(root: Path, rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield a message for each experiment of ``rows`` whose parameters name a path it cannot see.

    A queued run works in a copy of its commit, without files that neither git nor DVC tracks: the
    first stage that reads one fails.
    """
    pipeline = YAML(typ="safe").load(root / "dvc.yaml")["stages"].values()
    deps = {str(dep) for stage in pipeline for dep in stage.get("deps", ())}
    keys = sorted(dep[2:-1] for dep in deps if re.fullmatch(r"\$\{[\w.]+\}", dep))
    outputs: set[str] | None = None
    for row in filterfalse(finished, rows):
        tree = run_command(root, "git", "ls-tree", "-r", "-z", "--name-only", row["rev"])
        if tree.returncode:
            continue
        if outputs is None:
            with Repo(str(root)) as repo:
                outputs = {path for path, out in outputs_of(repo).items() if out.stage.cmd}
        names = filter(None, tree.stdout.split("\0"))
        held = {name.removesuffix(".dvc") for name in names} | outputs
        paths = {str(row[key]) for key in keys if row.get(key)}
        if unseen := sorted(path for path in paths if not is_covered(held, path)):
            yield (
                f"{row['Experiment']} cannot see {listed(unseen)}, which its commit lacks: "
                "`dvc add` it, commit, and queue the experiment again"
            )


def is_covered(held: Iterable[str], path: str) -> bool:
    """Return whether ``path`` is absolute, one of ``held``, or above or below one of them."""
    wanted = os.path.normpath(path)
    return os.path.isabs(wanted) or any(
        wanted == name or wanted.startswith(f"{name}/") or name.startswith(f"{wanted}/")
        for name in held
    )


def finished(row: Mapping[str, Any]) -> bool:
    """Return whether a row of ``dvc.api.exp_show`` is a commit or a successful experiment."""
    return row.get("State") in (None, "Success")


def figures_of(row: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return a row of ``dvc.api.exp_show`` with `FIGURES`, NaN for those that it lacks.

    None stands for the workspace, for what has no accuracy, and for what has not finished: its row
    shows the figures of the commit that it starts from.
    """
    if not finished(row) or row["rev"] == "workspace":
        return None
    found = {figure: headline(row, *place) for figure, place in FIGURES.items()}
    return None if np.isnan(found["accuracy"]) else {**row, **found}


def headline(row: Mapping[str, Any], file: str, name: str) -> float:
    """Return the headline ``name`` of ``file``, NaN where ``row`` lacks it.

    DVC calls it ``<file>:<name>``, or ``<name>`` alone where no other file has one of that name.
    """
    value = row.get(f"{file}:{name}", row.get(name))
    return float(value) if isinstance(value, float | int) else float("nan")


def by_setting(table: pd.DataFrame, params: Sequence[str], over: str) -> pd.DataFrame:
    """Return ``n``, means and intervals for each combination of ``params`` other than ``over``.

    Args:
        table: a row for each run: ``params`` and `FIGURES`.
        params: names of parameters; those that never vary are left out of the result.
        over: the parameter to average over.
    """
    text = table[[name for name in params if name != over]].map(cell)
    varying = [name for name in text if text[name].nunique() > 1]
    groups = text[varying].agg(", ".join, axis=1) if varying else pd.Series("", index=text.index)
    return pd.DataFrame(
        [
            {
                **text.loc[rows.index[0], varying],
                "n": len(rows),
                **{figure: mean_interval(rows[figure].to_numpy(float)) for figure in FIGURES},
            }
            for _, rows in table.groupby(groups, sort=True)
        ]
    )


def mean_interval(values: np.ndarray, confidence: float = 0.95) -> tuple[float, float, float]:
    """Return the mean of ``values`` and its Student's t interval, NaN for a single value."""
    n, mean = len(values), float(values.mean())
    if n < 2:
        return mean, float("nan"), float("nan")
    half = float(t.ppf((1 + confidence) / 2, n - 1) * values.std(ddof=1) / np.sqrt(n))
    return mean, mean - half, mean + half


def markdown(table: pd.DataFrame) -> str:
    """Return a table as Markdown, means with their interval."""
    lines = [[markdown_text(name) for name in table.columns], ["---"] * len(table.columns)]
    lines += [[cell(value) for value in row] for row in table.itertuples(index=False)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cell(value: Any) -> str:
    """Return a mean with its interval, a dash for NaN, a number or any other value as text."""
    if isinstance(value, float):
        return f"{value:g}"
    if not isinstance(value, tuple):
        return markdown_text(value)
    mean, low, high = value
    if np.isnan(mean):
        return "–"
    return f"{mean:.3f}" if np.isnan(low) else f"{mean:.3f} ({low:.3f}–{high:.3f})"
