"""Read a run's results for each evaluated image, and assemble the content of its panel."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from twincam.explanations.maps import full_colour
from twincam.figures.panels import Case, Tile
from twincam.files.arrays import read_array, read_finite
from twincam.files.metrics import read_metrics
from twincam.files.shards import Rows, read_masks, read_shards
from twincam.files.tables import EVALUATED_SPLITS, read_split, read_table
from twincam.statistics.margins import margins

KINDS = ("twins", "neighbourhood", "influential", "counterfactual", "semifactual")


class CaseFiles(NamedTuple):
    """The files of a run from which panels are drawn; ``explained`` names the method shown."""

    split: Path
    images: Path
    masks: Path
    embeddings: Path
    predictions: Path
    evaluated: Path
    explained: Path
    heatmaps: Path
    swapped: Path
    shared: Path
    twins: Path


@dataclass(frozen=True)
class Explained:
    """The evaluated images (``queries``, Q rows) and their explanations.

    ``ids`` are those of all images, ``images`` ``[M,S,S,3]`` their pictures, ``neighbours`` the
    rows of ``reports/twins.csv``; ``rows`` ``[Q]`` are the queries' in ``images``; ``heat``,
    ``shared`` ``[Q,h,w]``; ``swapped``, bool ``[Q,h,w]``, the cells of the counterfactual;
    ``masks`` ``[Q,S,S]``, zero without ground truth; ``scope`` names what the model was trained
    on; ``method`` the heat maps.
    """

    queries: pd.DataFrame
    ids: pd.Series
    neighbours: pd.DataFrame
    rows: np.ndarray
    images: Rows
    heat: np.ndarray
    shared: np.ndarray
    swapped: np.ndarray
    masks: np.ndarray
    scope: str
    method: str

    @property
    def heat_scale(self) -> float:
        """The evidence drawn at full intensity."""
        return full_colour(self.heat)


def read_explained(run: CaseFiles) -> Explained:
    """Read a run's results for its evaluated images, with the heat maps of its first method.

    Raises:
        UserError: a file does not have the pipeline's format.
    """
    split, images = read_split(run.split), read_shards(run.images)
    rows = np.flatnonzero(split["split"].isin(EVALUATED_SPLITS))
    method = read_metrics(run.explained)["method"]
    return Explained(
        queries=_predicted(run, split.iloc[rows], rows),
        ids=split["id"],
        neighbours=read_table(run.twins),
        rows=rows,
        images=images,
        heat=read_array(run.heatmaps / f"{method}.npy"),
        shared=read_array(run.shared)[:, 0],
        swapped=read_array(run.swapped),
        masks=read_masks(run.masks, rows, images.shape[1]),
        scope=read_metrics(run.evaluated)["scope"],
        method=method,
    )


def _predicted(run: CaseFiles, split: pd.DataFrame, rows: np.ndarray) -> pd.DataFrame:
    """Return the rows of ``split`` with the columns of the predictions, and the margin as is."""
    table = with_calibrated(read_table(run.predictions)).set_index("id")
    shown = table.loc[split["id"], [n for n in table if n not in split]].reset_index(drop=True)
    logits = read_finite(run.embeddings / "logits.npy")[rows]
    if "as_is" not in shown:  # the predictions of older runs are of the images as they are
        shown = shown.assign(as_is=shown["predicted"], remark="")
    return split.reset_index(drop=True).join(shown).assign(margin=margins(logits))


def with_calibrated(predictions: pd.DataFrame) -> pd.DataFrame:
    """Return predictions whose ``confidence`` is the calibrated one wherever it was fitted."""
    if "calibrated" not in predictions:  # in older runs
        return predictions
    fitted = pd.to_numeric(predictions["calibrated"], errors="coerce")
    return predictions.assign(confidence=fitted.fillna(predictions["confidence"]))


def case_of(explained: Explained, index: int) -> Case:
    """Return everything that the panel of the evaluated image at ``index`` shows."""
    row = explained.queries.iloc[index]
    own = explained.neighbours[explained.neighbours["id"] == row["id"]]
    where = pd.Series(explained.ids.index, index=explained.ids)
    tiles = {
        kind: [
            Tile(explained.images[where[one.neighbour]], one.similarity, one.label, one.predicted)
            for one in own[own["kind"] == kind].itertuples()
        ]
        for kind in KINDS
    }
    return Case(
        row=row,
        scope=explained.scope,
        image=explained.images[explained.rows[index]],
        heat=explained.heat[index],
        shared=explained.shared[index],
        swapped=explained.swapped[index],
        mask=explained.masks[index],
        heat_scale=explained.heat_scale,
        **tiles,
    )
