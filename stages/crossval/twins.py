"""Logits of held-out images, and the fidelity of their neighbours to the predictions, by space."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from twincam.explanations.twins.fidelity import ASKED, fidelity
from twincam.explanations.twins.spaces import SPACES, comparable, nearest_in, spaces_that_compare
from twincam.models.forward import embed
from twincam.models.network import Network
from twincam.training.originals import Originals, delivered_logits
from twincam.training.refits import Evaluate, Refit, Results

KEPT = ("agrees", "disagreement", "margin", "neighbours_margin", "chance_margin")


def measuring(labels: np.ndarray, originals: Originals, images: np.ndarray) -> Evaluate:
    """Return `measure` of ``images`` with their ``labels``, and of their deliveries."""

    def evaluate(network: Network, part: Refit) -> Results:
        delivered = delivered_logits(network, originals, part.held_out)
        return {**measure(network, part, images, labels), "delivered": delivered}

    return evaluate


def measure(network: Network, part: Refit, images: np.ndarray, labels: np.ndarray) -> Results:
    """Return the logits of the images to score, and `fidelity` by space as ``space.column``.

    Args:
        network: trained on ``part.train``.
        part: the training rows and the rows to score.
        images: bytes ``[N,S,S,3]``.
        labels: class indices ``[N]``.
    """
    maps = comparable(len(part.held_out), len(part.train))
    query, references = (
        embed(network, images, rows, maps=maps) for rows in (part.held_out, part.train)
    )
    weight = network.head.weight.detach().cpu().numpy()
    found: dict[str, np.ndarray] = {"logits": query.logits}
    for space in spaces_that_compare({"features", "maps"} if maps else {"features"}):
        near, _ = nearest_in(space, query, references, weight, ASKED)
        table = fidelity(near, query.logits, references.logits, labels[part.train])
        found |= {f"{space}.{column}": table[column].to_numpy() for column in KEPT}
    return found


def fidelity_table(
    scored: pd.DataFrame, found: Sequence[Results], classes: Sequence[str]
) -> pd.DataFrame:
    """Return a row for each space and image of each fold.

    Args:
        scored: ``id, repeat, fold, label`` of the images in the order of ``found``.
        found: of `measure`, by fold.
        classes: the labels.

    Returns:
        ``id, repeat, fold, space, wrong`` and the columns of `fidelity`.
    """
    predicted = np.concatenate([one["logits"] for one in found]).argmax(axis=1)
    about = scored[["id", "repeat", "fold"]].assign(
        wrong=(np.array(classes)[predicted] != scored["label"]).astype(int)
    )
    return pd.concat([empty_table(), *_by_space(about, found)], ignore_index=True)


def empty_table() -> pd.DataFrame:
    """Return the table without rows."""
    return pd.DataFrame(columns=["id", "repeat", "fold", "space", "wrong", *KEPT])


def _by_space(about: pd.DataFrame, found: Sequence[Results]) -> Iterator[pd.DataFrame]:
    for space in SPACES:
        if all(f"{space}.agrees" in one for one in found):
            columns = {
                name: np.concatenate([one[f"{space}.{name}"] for one in found]) for name in KEPT
            }
            yield about.assign(space=space, **columns).assign(agrees=columns["agrees"].astype(int))
