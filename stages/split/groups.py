"""Which images belong together: the same content, the same look, or the manifest's group."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from twincam.images.parallel import in_order
from twincam.near_duplicates.copies import read_small
from twincam.near_duplicates.search import connected, near_duplicates


def near_pairs_of(root: Path, images: pd.DataFrame, distance: int) -> np.ndarray:
    """Return the pairs of near duplicates among ``images`` (path, phash): int [M, 2], i < j.

    Args:
        root: where the paths begin.
        images: columns path and phash (uint64).
        distance: of hashes, in bits; -1: no pair.
    """
    paths = images["path"].to_numpy()

    def read(rows: np.ndarray) -> Iterable[Image.Image]:
        return in_order(read_small, [root / path for path in paths[rows]], "near duplicates")

    return near_duplicates(images["phash"].to_numpy(np.uint64), distance, read)


def components(images: pd.DataFrame, near: np.ndarray, manifest: bool = True) -> np.ndarray:
    """Put images that are linked, directly or through others, into one component.

    Args:
        images: columns sha256 and, where ``manifest``, group ("" for none).
        near: int [M, 2], the pairs of near duplicates by the index of ``images``; pairs of which
            an image is not there are passed over.
        manifest: link images of the same manifest group.

    Returns:
        int [N]: the position of each component's first member.
    """
    at = images.index.get_indexer(pd.Index(near.ravel())).reshape(-1, 2)
    links = [_equal(images["sha256"]), at[(at >= 0).all(axis=1)]]
    if manifest:
        links.append(_equal(images["group"]))
    return connected(len(images), np.concatenate(links))


def _equal(keys: pd.Series) -> np.ndarray:
    """Link every row to the first of the same key; "" is no key."""
    _, first, which = np.unique(keys.to_numpy(str), return_index=True, return_inverse=True)
    pairs = np.stack([first[which], np.arange(len(keys))], axis=1)
    return pairs[keys.to_numpy(str) != ""]


def group_names(images: pd.DataFrame, component: np.ndarray) -> pd.Series:
    """Name each image's group: its only manifest group, else the id of its first path.

    ``images`` (id, group) is sorted by path.
    """
    manifest = images["group"].where(images["group"] != "").groupby(component)
    first_id = images["id"].groupby(component).transform("first")
    return first_id.where(manifest.transform("nunique") != 1, manifest.transform("first"))


def duplicate_counts(images: pd.DataFrame, near: np.ndarray) -> dict[str, int]:
    """Count the images that repeat another's content, and the contents that resemble another."""
    contents = images["sha256"].nunique()
    alike = len(np.unique(components(images, near, manifest=False)))
    return {"exact": len(images) - contents, "near": contents - alike}


def label_conflicts(images: pd.DataFrame) -> list[dict[str, list[str]]]:
    """List the contents that carry more than one label, with their paths."""
    disputed = images[images.groupby("sha256")["label"].transform("nunique") > 1]
    return [
        {"paths": list(same["path"]), "labels": sorted(same["label"].unique())}
        for _, same in disputed.groupby("sha256", sort=False)
    ]


def dominant_groups(images: pd.DataFrame, near: np.ndarray) -> list[str]:
    """Say of each class whether one group holds more than a fifth of its images, and more than 2.

    Args:
        images: columns path, label, sha256 and group.
        near: int [M, 2], the pairs of near duplicates by the index of ``images``.
    """
    alike = components(images, near, manifest=False)
    said = []
    for label, mine in images.groupby("label"):
        sizes = mine["group"].value_counts()
        name, count = sizes.index[0], int(sizes.iloc[0])
        if count > max(2, len(mine) / 5):
            group = images["group"] == name
            path = images.loc[group & (images["label"] == label), "path"].iloc[0]
            by_look = len(set(alike[group])) < images.loc[group, "sha256"].nunique()
            cure = (
                "lower split.near_duplicate_distance (-1 compares content only) if they are "
                "different pictures"
                if by_look
                else "correct the manifest if they do not belong together"
            )
            said.append(
                f"one group of copies, near duplicates or the manifest holds {count} of the "
                f"{len(mine)} images of class {label!r}, {path} for one; all of it goes to "
                f"one split; look at them, and {cure}"
            )
    return said
