"""The run that is explained: its images, its classifier and the classifier's predictions."""

import argparse
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.special import softmax

from stages.explain.params import Params
from twincam.determinism import make_torch_deterministic
from twincam.explanations.clip import clip_features
from twincam.explanations.twins.neighbours import Neighbours
from twincam.explanations.twins.spaces import comparable
from twincam.files.arrays import read_finite
from twincam.files.shards import Rows, read_masks, read_shards
from twincam.files.tables import EVALUATED_SPLITS, class_names, read_split, read_texts
from twincam.models.classifier import check_images
from twincam.models.embedded import Embedded, Maps
from twincam.models.forward import BATCH, batches, embed, embed_batch
from twincam.models.network import Network
from twincam.models.runtimes import read_compiled
from twincam.statistics.margins import margin_classes, margins


class Run(NamedTuple):
    """M images, of which Q are evaluated and T are training images, and their classifier.

    ``table`` is ``data/split.csv`` with the predictions (`described`), ``attributes`` the other
    records of each image, both with M rows; ``images`` ``[M,S,S,3]``; ``evaluated`` ``[Q]`` and
    ``train`` ``[T]``, rows; ``embedded``, features and logits of all images, without maps;
    ``maps``, those of the training images, if these are few enough to compare by cells, else empty;
    ``clip`` ``[M,D]``, CLIP's features, or ``[M,0]``; ``masks`` and ``marks`` ``[Q,S,S]``, of
    defects and of planted marks, empty if there is none.
    """

    network: Network
    table: pd.DataFrame
    attributes: pd.DataFrame
    images: Rows
    evaluated: np.ndarray
    train: np.ndarray
    embedded: Embedded
    maps: Maps
    clip: np.ndarray
    masks: np.ndarray
    marks: np.ndarray


class Explanation(NamedTuple):
    """The result of one kind of explanation: figures, arrays ``[Q,h,w]``, neighbours by kind."""

    metrics: dict[str, Any]
    arrays: dict[str, np.ndarray]
    neighbours: dict[str, Neighbours]


def read_run(args: argparse.Namespace, params: Params) -> Run:
    """Read the files of a run; embed the training images, and all images by CLIP if requested.

    Raises:
        UserError: a file is not one of the pipeline's, images and classifier do not match, or CLIP
            is unavailable.
    """
    make_torch_deterministic(0, "explain", threads=params.run.threads)
    split, images = read_split(args.split), read_shards(args.images)
    network = read_compiled(args.model, params.run)
    check_images(args.model, images)
    features = read_finite(args.embeddings / "features.npy")
    logits = np.array(read_finite(args.embeddings / "logits.npy"))
    embedded = Embedded((), features, logits, network.finer)
    evaluated = np.flatnonzero(split["split"].isin(EVALUATED_SPLITS))
    train = np.flatnonzero(split["split"] == "train")
    clip = params.explain.clip
    return Run(
        network=network,
        table=described(split, logits),
        attributes=read_texts(args.attributes).drop(columns="id").assign(family=split["family"]),
        images=images,
        evaluated=evaluated,
        train=train,
        embedded=embedded,
        maps=reference_maps(network, images, train, len(evaluated)),
        clip=np.zeros((len(split), 0), np.float32)
        if clip == "none"
        else clip_features(images, clip, args.clip_folder),
        masks=read_masks(args.masks, evaluated, images.shape[1]),
        marks=read_masks(args.marks, evaluated, images.shape[1]),
    )


def described(split: pd.DataFrame, logits: np.ndarray) -> pd.DataFrame:
    """Return ``split`` with the model's ``predicted``, ``confidence`` and ``margin``.

    Args:
        split: of all images.
        logits: of the same images, ``[M,K]``.
    """
    predicted = np.array(class_names(split))[margin_classes(logits)[0]]
    confidence = softmax(logits, axis=1).max(axis=1)
    return split.assign(predicted=predicted, confidence=confidence, margin=margins(logits))


def reference_maps(network: Network, images: Rows, train: np.ndarray, queries: int) -> Maps:
    """Return the training images' maps, none if they are too many to compare with ``queries``."""
    few = comparable(queries, len(train))
    return embed(network, images, train, maps=True).maps if few else ()


def evaluated_maps(run: Run) -> Iterator[Embedded]:
    """Yield the evaluated images with their maps, a batch at a time."""
    for part in batches(len(run.evaluated), BATCH):
        yield embed_batch(run.network, run.images[run.evaluated[part]])


def head_of(network: Network) -> tuple[np.ndarray, np.ndarray]:
    """Return the head's weight ``[K,C]`` and bias ``[K]``."""
    weight, bias = network.head.weight, network.head.bias
    return np.asarray(weight.detach().cpu().numpy()), np.asarray(bias.detach().cpu().numpy())


def labels_of(run: Run) -> np.ndarray:
    """Return the class index of each image's label, ``[M]``."""
    return run.table["label"].map(class_names(run.table).index).to_numpy()


def correct(run: Run) -> np.ndarray:
    """Return, bool ``[Q]``, whether each evaluated image is predicted correctly."""
    table = run.table.iloc[run.evaluated]
    return (table["label"] == table["predicted"]).to_numpy()


def neighbour_table(found: dict[str, Neighbours], run: Run) -> pd.DataFrame:
    """Return the training image and its similarity for each evaluated image, kind and rank."""
    queries, references = (
        run.table.iloc[rows].reset_index(drop=True) for rows in (run.evaluated, run.train)
    )
    tables = []
    for kind, (indices, similarity) in found.items():
        query, rank = np.nonzero(indices >= 0)
        chosen = references.iloc[indices[query, rank]].reset_index(drop=True)
        tables.append(
            pd.DataFrame(
                {
                    "id": queries["id"].to_numpy()[query],
                    "kind": kind,
                    "rank": rank + 1,
                    "neighbour": chosen["id"],
                    "path": chosen["path"],
                    "label": chosen["label"],
                    "predicted": chosen["predicted"],
                    "similarity": similarity[query, rank],
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def with_reached(table: pd.DataFrame, reached: np.ndarray, run: Run) -> pd.DataFrame:
    """Return `neighbour_table` with ``reached``, the class that swapping leads to.

    It is empty in rows of other kinds than ``counterfactual``.

    Args:
        table: of `neighbour_table`.
        reached: index of the class for each evaluated image, ``[Q]``; -1 without a counterfactual.
        run: what is explained.
    """
    ids = run.table["id"].iloc[run.evaluated]
    names = dict(zip(ids, np.array([*run.network.classes, ""])[reached], strict=True))
    swaps = table["kind"] == "counterfactual"
    return table.assign(reached=table["id"].map(names).where(swaps, ""))
