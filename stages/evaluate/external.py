"""Figures of other sources, which were not used in training."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from stages.evaluate.scores import beside_as_is
from twincam.confidence.by_class import figures_by_class
from twincam.statistics.estimates import share

NO_GUARANTEE = "none: the thresholds were set without images of this source"


def source_figures(rows: pd.DataFrame, unsure: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Return the figures of one source.

    They are ``n``, ``accuracy``, those of `beside_as_is`, the block ``unsure``, and
    `figures_by_class` as ``per_class``.

    Args:
        rows: the source's rows of `twincam.confidence.verdicts.verdicts_of`.
        unsure: the block ``unsure`` of these rows.
        seed: of the bootstrap.
    """
    return {
        "n": len(rows),
        "accuracy": share((rows["predicted"] == rows["label"]).to_numpy()),
        **beside_as_is(rows, seed),
        "unsure": {**unsure, "guarantee": NO_GUARANTEE},
        "per_class": figures_by_class(rows),
    }
