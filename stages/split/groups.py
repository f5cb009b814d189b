"""Which images belong together: the same content, the same look, or the manifest's group."""

from collections.abc import Iterable, Iterator
from itertools import chain

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from stages.split.contents import FLAT


def components(images: pd.DataFrame, distance: int, manifest: bool = True) -> np.ndarray:
    """Put images that are linked, directly or through others, into one component.

    Args:
        images: columns sha256, phash and, where ``manifest``, group ("" for none).
        distance: link images whose perceptual hashes differ in at most so many bits; -1: none.
        manifest: link images of the same manifest group.

    Returns:
        int [N]: the position of each component's first member.
    """
    links = [_equal(images["sha256"])]
    if manifest:
        links.append(_equal(images["group"]))
    hashes = images["phash"].to_numpy(np.uint64)
    return _connected(len(images), chain(links, near_pairs(hashes, distance)))


def near_pairs(hashes: np.ndarray, distance: int, rows: int = 256) -> Iterator[np.ndarray]:
    """Yield the pairs i < j of hashes within ``distance`` bits of each other.

    Args:
        hashes: uint64 [N]; `FLAT` is near nothing.
        distance: -1..64.
        rows: compared with all others at a time, which bounds the memory.

    Yields:
        int [M, 2] for each block of rows.
    """
    for start in range(0, len(hashes) if distance >= 0 else 0, rows):
        block = hashes[start : start + rows, None]
        first, second = np.nonzero(bits_apart(block, hashes[None, start:]) <= distance)
        yield np.stack([first, second], axis=1)[first < second] + start


def bits_apart(hashes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return how many bits differ, uint8 of the shape both broadcast to; 255 beside a `FLAT`."""
    return np.where(
        (hashes == FLAT) | (others == FLAT), np.uint8(255), np.bitwise_count(hashes ^ others)
    )


def _equal(keys: pd.Series) -> np.ndarray:
    """Link every row to the first of the same key; "" is no key."""
    _, first, which = np.unique(keys.to_numpy(str), return_index=True, return_inverse=True)
    pairs = np.stack([first[which], np.arange(len(keys))], axis=1)
    return pairs[keys.to_numpy(str) != ""]


def _connected(count: int, links: Iterable[np.ndarray]) -> np.ndarray:
    """Merge block by block, so that only a block's links are in memory."""
    first = np.arange(count)
    for pairs in links:
        heads = first[pairs]
        one, other = heads[heads[:, 0] != heads[:, 1]].T
        if not len(one):
            continue
        graph = coo_array((np.ones(len(one)), (one, other)), shape=(count, count))
        _, labels = connected_components(graph, directed=False)
        _, starts = np.unique(labels, return_index=True)
        first = starts[labels][first]
    return first


def group_names(images: pd.DataFrame, component: np.ndarray) -> pd.Series:
    """Name each image's group: its only manifest group, else the id of its first path.

    ``images`` (id, group) is sorted by path.
    """
    manifest = images["group"].where(images["group"] != "").groupby(component)
    first_id = images["id"].groupby(component).transform("first")
    return first_id.where(manifest.transform("nunique") != 1, manifest.transform("first"))


def duplicate_counts(images: pd.DataFrame, distance: int) -> dict[str, int]:
    """Count the images that repeat another's content, and the contents that resemble another."""
    contents = images["sha256"].nunique()
    alike = len(np.unique(components(images, distance, manifest=False)))
    return {"exact": len(images) - contents, "near": contents - alike}


def label_conflicts(images: pd.DataFrame) -> list[dict[str, list[str]]]:
    """List the contents that carry more than one label, with their paths."""
    disputed = images[images.groupby("sha256")["label"].transform("nunique") > 1]
    return [
        {"paths": list(same["path"]), "labels": sorted(same["label"].unique())}
        for _, same in disputed.groupby("sha256", sort=False)
    ]
