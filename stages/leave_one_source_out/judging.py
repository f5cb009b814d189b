"""Judge images by a classifier trained without their source, as the final one judges them."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from twincam.confidence.offsets import fit_offsets, with_offsets
from twincam.confidence.params import Evaluate
from twincam.confidence.verdicts import Traces, fit_confidence, verdicts_of
from twincam.files.shards import Rows
from twincam.models.network import Network
from twincam.training.originals import Originals, delivered_logits, table_of_deliveries
from twincam.training.refits import Evaluate as Evaluation
from twincam.training.refits import Refit, Results

NOT_LOOKED_FOR = Traces(None, None)


def delivering(originals: Originals, _images: Rows) -> Evaluation:
    """Return the evaluation that keeps the logits ``delivered`` ``[S,D,K]`` of held-out images."""

    def evaluate(network: Network, part: Refit) -> Results:
        return {"delivered": delivered_logits(network, originals, part.held_out)}

    return evaluate


def judged(
    images: pd.DataFrame,
    delivered: np.ndarray,
    scored: pd.DataFrame,
    settings: Evaluate,
    classes: Sequence[str],
) -> pd.DataFrame:
    """Return the table of `verdicts_of` N images.

    Args:
        images: rows of ``data/split.csv``.
        delivered: logits of their deliveries, ``[N,D,K]``.
        scored: out-of-fold scores of the images that the classifier was trained on; they give the
            class offsets, and what makes a verdict unsure. The networks that gave them may have
            been trained on the source.
        settings: when a verdict is unsure.
        classes: the K labels.
    """
    model = fit_confidence(
        with_offsets(scored, classes), classes, settings.alpha, settings.max_abstention
    )
    logits = delivered + fit_offsets(scored, classes)
    about = images[["id", "path", "split", "source", "label"]]
    table = table_of_deliveries(about, logits, classes)
    return verdicts_of(table, model, NOT_LOOKED_FOR, classes).table
