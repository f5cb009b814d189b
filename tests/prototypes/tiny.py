"""The run of a prototype network fitted to a tiny set, with and without known maps."""

from functools import cache

import numpy as np
import pandas as pd

from stages.protopnet.baselines import k_means_similarities
from stages.protopnet.measuring import measure
from stages.prototypes.last_layer import Fits, fit_layers
from stages.prototypes.params import Prototypes, Removal
from stages.prototypes.run import Run
from tests.protopnet.tiny import LABELS, ROWS, SETTINGS, examples, network, pictures, trained
from twincam.explanations.prototypes.measurements import Measurements
from twincam.explanations.prototypes.network import PrototypeNet

LAST_LAYER = Prototypes(l1=0.0, ridge=0.1, on_collapse="fail", decisions=2, remove=[])


def net() -> PrototypeNet:
    """Return the network; do not change it."""
    return trained().net


def removing(*ids: int) -> Prototypes:
    """Return the settings that remove prototypes."""
    remove = [Removal(id=number, reason=f"reason {number}") for number in ids]
    return LAST_LAYER.model_copy(update={"remove": remove})


@cache
def measurements(*, known: bool = True, marked: tuple[int, ...] = tuple(ROWS)) -> Measurements:
    """Return what the network makes of `run`."""
    k_means = k_means_similarities(network(), examples(), SETTINGS, 0)
    _, _, marks, parts = _maps(known=known, marked=marked)
    return measure(trained(), k_means, examples(), marks, parts, 0)


def _maps(
    *, known: bool, marked: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    images, masks = pictures()
    if not known:
        return images, masks[:0], masks[:0], masks[:0]
    carries = (LABELS == 0) & np.isin(ROWS, marked)
    return images, masks, masks * carries[:, None, None].astype(np.uint8), masks // 255


def run(*, known: bool = True, marked: tuple[int, ...] = tuple(ROWS)) -> Run:
    """Return the set, all of it both learned from and evaluated.

    Args:
        known: whether there are maps and families.
        marked: the rows that carry a mark if they are of class a.
    """
    images, masks, marks, parts = _maps(known=known, marked=marked)
    names = np.array(["a", "b"])[LABELS]
    split = pd.DataFrame(
        {
            "id": [f"id{n}" for n in ROWS],
            "path": [f"{name}/{n}.png" for n, name in enumerate(names)],
            "label": names,
            "split": "val",
            "family": np.where(names == "a", "chequers", "") if known else "",
        }
    )
    return Run(
        split,
        images,
        masks,
        marks,
        parts,
        classes=["a", "b"],
        labels=LABELS,
        train=ROWS,
        evaluated=ROWS,
        measured=measurements(known=known, marked=marked),
    )


def fits(settings: Prototypes = LAST_LAYER) -> Fits:
    """Return the last layers fitted to `run`."""
    return fit_layers(run(), net().owner.numpy(), settings)
