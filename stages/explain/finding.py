"""Work out, with the network, everything that explains the evaluated images of a run."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from stages.explain.counterfactuals import (
    Swap,
    defect_figures,
    flip_figures,
    minimal_swap,
    region_figures,
)
from stages.explain.neighbours import at
from stages.explain.retrieval import retrieval, thumbnails
from stages.explain.shared import shared_heat
from stages.explain.truth import heat_figures
from twincam.explanations.twins import SPACES, comparable, features_cosine, similarities
from twincam.models.embedded import Embedded
from twincam.models.forward import BATCH, batches, embed, embed_batch, logits_of
from twincam.models.network import Network
from twincam.statistics.intervals import share_with_interval

MAPS, CLIP = "maps", "clip"


class Scene(NamedTuple):
    """A run as the explanations need it.

    ``table`` is all images (M rows) with what the model says of them, ``images`` ``[M,S,S,3]``,
    ``query`` and ``train`` the rows of the evaluated and of the training images, ``seen`` what the
    model makes of all images, without maps; ``clip`` ``[M,D]`` what CLIP does, or ``[M,0]``.
    """

    network: Network
    table: pd.DataFrame
    images: np.ndarray
    query: np.ndarray
    train: np.ndarray
    seen: Embedded
    clip: np.ndarray

    def of(self, rows: np.ndarray) -> Embedded:
        """Return what the model makes of the images at ``rows``, without maps."""
        return at(self.seen, rows)

    def of_clip(self, rows: np.ndarray) -> Embedded:
        """Return the same with CLIP's features instead of the model's."""
        return self.of(rows)._replace(features=self.clip[rows])

    @property
    def weight(self) -> np.ndarray:
        """The head's weight ``[K,C]``."""
        return np.asarray(self.network.head.weight.detach().cpu().numpy())

    @property
    def bias(self) -> np.ndarray:
        """The head's bias ``[K]``."""
        return np.asarray(self.network.head.bias.detach().cpu().numpy())

    def judge(self, images: np.ndarray) -> np.ndarray:
        """Return the logits ``[B,K]`` of bytes ``[B,S,S,3]``."""
        return logits_of(self.network, images)


def known_images(scene: Scene) -> Embedded:
    """Return the training images, with maps where they are few enough to be compared by cells."""
    if comparable(len(scene.query), len(scene.train)):
        return embed(scene.network, scene.images, scene.train, maps=True)
    return scene.of(scene.train)


def all_similarities(scene: Scene, known: Embedded) -> dict[str, np.ndarray]:
    """Return the similarities ``[Q,T]`` of evaluated and training images by space."""
    found = similarities(scene.of(scene.query), known, scene.weight)
    if len(known.maps):
        found[MAPS] = np.concatenate(
            [SPACES[MAPS](seen, known, scene.weight) for seen in _queries(scene)]
        )
    if scene.clip.size:
        found[CLIP] = features_cosine(
            scene.of_clip(scene.query), scene.of_clip(scene.train), scene.weight
        )
    return found


def cell_scores(scene: Scene, rows: np.ndarray) -> np.ndarray:
    """Return the head's weight times the last feature maps of the images at ``rows``: [N,K,h,w]."""
    return np.concatenate(
        [
            np.einsum(
                "kc,nchw->nkhw", scene.weight, embed_batch(scene.network, scene.images[part]).maps
            )
            for part in (rows[some] for some in batches(len(rows), BATCH))
        ]
    )


def find_swaps(scene: Scene, partners: np.ndarray) -> tuple[np.ndarray, Swap]:
    """Return which queries have a counterfactual, bool ``[Q]``, and the minimal swap of those.

    Args:
        scene: the run.
        partners: positions of the counterfactuals among the training images, ``[Q]``; -1: none.
    """
    there = partners >= 0
    query, partner = scene.query[there], scene.train[partners[there]]
    if not there.any():
        cells = np.zeros((0, 1, 1), bool)
        return there, Swap(cells, np.zeros(0, int), np.zeros(0, int))
    return there, minimal_swap(cell_scores(scene, query), cell_scores(scene, partner), scene.bias)


def shared_maps(scene: Scene, known: Embedded, twins: np.ndarray, space: str) -> np.ndarray:
    """Return `shared_heat` ``[Q,h,w]`` of each query and its first twin, zero where it has none.

    Args:
        scene: the run.
        known: the training images; with maps for ``maps``.
        twins: positions of the first twins among them, ``[Q]``; -1: none.
        space: that the twins are nearest in.
    """
    found, start = [], 0
    for seen in _queries(scene):
        own = twins[start : start + len(seen.logits)]
        start += len(own)
        heat = shared_heat(seen, at(known, own), scene.weight, space)
        found.append(np.where((own >= 0)[:, None, None], heat, 0))
    return np.concatenate(found).astype(np.float32)


def _queries(scene: Scene) -> Iterator[Embedded]:
    for some in batches(len(scene.query), BATCH):
        yield embed_batch(scene.network, scene.images[scene.query[some]])


def counterfactual_figures(
    scene: Scene, partners: np.ndarray, swap: Swap, there: np.ndarray, truth: np.ndarray, seed: int
) -> dict[str, Any]:
    """Return what the swaps are worth, in the image and against the truth.

    Regions and defects are asked of correctly predicted images alone: of a fake that passes, the
    cells that speak for it are not its defect.

    Args:
        scene: the run.
        partners: of the queries that have one, rows among all images.
        swap: of the same queries.
        there: bool ``[Q]``, which queries these are.
        truth: masks ``[Q,S,S]``, zero where none is known.
        seed: of controls and bootstraps.
    """
    predicted = scene.seen.logits[scene.query].argmax(axis=1)
    table = scene.table.iloc[scene.query]
    right = (table["label"] == table["predicted"]).to_numpy()
    sound = (truth > 0) & right[:, None, None]
    query = scene.query[there]
    figures = {
        **flip_figures(scene.judge, scene.images, query, partners, swap, predicted[there], seed),
        **defect_figures(swap.cells, sound[there], seed),
    }
    true_partner = true_partners(scene.table)[scene.query]
    mended = (true_partner >= 0) & sound.any(axis=(1, 2))
    return figures | region_figures(
        scene.judge,
        scene.images,
        scene.query[mended],
        true_partner[mended],
        truth[mended],
        predicted[mended],
        seed,
    )


def true_partners(table: pd.DataFrame) -> np.ndarray:
    """Return for each image ``[M]`` the row of the one image of its group with another label.

    -1 where there is none or more than one: the group then is no pair.
    """
    found = np.full(len(table), -1)
    rows = pd.Series(np.arange(len(table)))
    for _, pair in rows.groupby(table["group"].to_numpy()):
        if len(pair) == 2 and table["label"].iloc[pair].nunique() == 2:
            found[pair] = pair[::-1]
    return found


def partner_retrieval(scene: Scene, space: str, seed: int) -> dict[str, Any]:
    """Return how well ``space`` finds the evaluated images' true partners; empty without any.

    Candidates are all images of the other class; cell by cell that would take too long, so that
    ``maps`` is asked by the study's space instead.
    """
    target = true_partners(scene.table)[scene.query]
    asked = target >= 0
    if not asked.any():
        return {}
    rows = scene.query[asked]
    measure = features_cosine if space in (MAPS, CLIP) else SPACES[space]
    of = scene.of_clip if space == CLIP else scene.of
    every = of(np.arange(len(scene.table)))
    labels = scene.table["label"].to_numpy()
    other = labels[rows, None] != labels
    small = thumbnails(scene.images)
    values, control = (
        np.where(other, found, -np.inf)
        for found in (measure(of(rows), every, scene.weight), small[rows] @ small.T)
    )
    return retrieval(values, control, target[asked], seed)


def mark_figures(
    scene: Scene, heat: dict[str, np.ndarray], marks: np.ndarray, seed: int
) -> dict[str, Any]:
    """Return what a known mark does: which images carry it, recall with and without, where heat is.

    Args:
        scene: the run.
        heat: the maps ``[Q,h,w]`` by method.
        marks: masks of the marks ``[Q,S,S]``, empty where there is none.
        seed: of the bootstraps.

    Returns:
        Empty without marks; else ``n``, ``heatmaps`` by method as `heat_figures` of the marked
        images, and by label ``marked`` and ``unmarked``, each with n and recall.
    """
    carries = marks.any(axis=(1, 2))
    if not carries.any():
        return {}
    table = scene.table.iloc[scene.query]
    right = (table["label"] == table["predicted"]).to_numpy()
    recall = {
        str(label): {
            name: {"n": len(hits), **share_with_interval("recall", hits)}
            for name, which in (("marked", carries), ("unmarked", ~carries))
            for hits in [right[own & which]]
        }
        for label in table["label"].unique()
        for own in [(table["label"] == label).to_numpy()]
    }
    nothing = np.full(int(carries.sum()), "")
    return {
        "n": int(carries.sum()),
        "recall": recall,
        "heatmaps": {
            method: heat_figures(maps[carries], marks[carries], nothing, seed)
            for method, maps in heat.items()
        },
    }
