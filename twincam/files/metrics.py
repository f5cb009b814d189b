"""Metrics as JSON in one stable form; the one shape of a figure with its interval."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from twincam.files.atomic import write_text
from twincam.files.errors import UserError


class Estimate(NamedTuple):
    """A figure of ``n`` images (or whatever it is a figure of) and its 95 % interval.

    All NaN where nothing bears on it.
    """

    value: float
    low: float
    high: float
    n: int


def spelled(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``metrics`` with every `Estimate` as it stands in JSON.

    One called ``accuracy`` becomes ``accuracy``, ``accuracy_low`` and ``accuracy_high``; its ``n``
    is written where the caller names it.
    """
    found: dict[str, Any] = {}
    for key, value in metrics.items():
        if isinstance(value, Estimate):
            found |= {key: value.value, f"{key}_low": value.low, f"{key}_high": value.high}
        elif not isinstance(value, list) or value:
            found[key] = spelled(value) if isinstance(value, Mapping) else value
    return found


def rounded(value: Any) -> Any:
    """Round every float inside ``value`` to 6 digits; NaN and infinities become None."""
    if isinstance(value, Mapping):
        return {str(key): rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return round(value, 6) + 0.0 if np.isfinite(value) else None
    return value


def write_metrics(path: Path, metrics: Mapping[str, Any]) -> None:
    """Write ``metrics`` as JSON: keys sorted, floats rounded to 6 digits, a newline at the end.

    An `Estimate` is spelled as `spelled` says. Empty lists are left out, since `dvc plots` cannot
    read them.
    """
    text = json.dumps(rounded(spelled(metrics)), indent=2, sort_keys=True, ensure_ascii=False)
    write_text(path, text + "\n")


def read_metrics(path: Path) -> dict[str, Any]:
    """Read what `write_metrics` wrote.

    Raises:
        UserError: the file is damaged or holds something else.
    """
    try:
        metrics = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        metrics = None
    if not isinstance(metrics, dict):
        raise UserError(
            f"{path}: expected JSON as a stage writes it, found something else; "
            "remove it and run `dvc repro`"
        )
    return metrics
