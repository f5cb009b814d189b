"""The source of an image, read from its path."""

import re
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import numpy as np
import pandas as pd

from twincam.files.errors import UserError

SECONDS = 60.0
"""Of processor time, for all paths: ``(a+)+b`` takes twice as long with each further a."""


def single_source_sentences(images: pd.DataFrame) -> list[str]:
    """Return a sentence on each class whose images all come from one named source.

    Args:
        images: columns label and source ("" if unknown).
    """
    return [
        f"All images of class {label} come from one source, {own.iloc[0]}: the model may learn "
        "that source instead of the class."
        for label, own in images.groupby("label")["source"]
        if own.iloc[0] and own.nunique() == 1
    ]


def with_sources(images: pd.DataFrame, pattern: re.Pattern[str] | None) -> pd.DataFrame:
    """Return ``images`` with the sources that ``pattern`` finds, where they have none yet.

    Args:
        images: columns path and source ("" if unknown).
        pattern: searched in each path; its first group, or the whole match if it has no group, is
            the source, "" without a match. None leaves ``images`` as they are.

    Raises:
        UserError: the pattern finds no source in any path, or takes more than `SECONDS`.
    """
    if pattern is None:
        return images
    group = min(pattern.groups, 1)
    found = [(match[group] or "") if match else "" for match in _searched(pattern, images["path"])]
    if not any(found):
        raise UserError(
            f"data.source_pattern {pattern.pattern!r} finds no source in any of {len(images)} "
            f"paths, such as {images['path'].iloc[0]!r}; correct it, or set it to null"
        )
    return images.assign(source=np.where(images["source"] == "", found, images["source"]))


def _searched(pattern: re.Pattern[str], paths: Iterable[str]) -> list[re.Match[str] | None]:
    try:
        with _limited(SECONDS):
            return [pattern.search(path) for path in paths]
    except TimeoutError:
        raise UserError(
            f"data.source_pattern {pattern.pattern!r} takes more than {SECONDS:g} seconds; "
            "simplify it: no repetition inside a repetition, as in (a+)+"
        ) from None


@contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """Raise TimeoutError once the block has taken ``seconds`` of processor time."""

    def stop(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
