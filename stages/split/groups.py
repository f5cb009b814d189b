"""Which images belong together: same content, near duplicates, or same group in the manifest."""

import numpy as np
import pandas as pd

from twincam.near_duplicates.search import first_connected


def components(images: pd.DataFrame, near: np.ndarray, manifest: bool = True) -> np.ndarray:
    """Put images that are linked, directly or through others, into one component.

    Args:
        images: columns sha256 and, where ``manifest``, group ("" for none).
        near: int [M, 2], the pairs of near duplicates by the index of ``images``; pairs with an
            image that is not in ``images`` are ignored.
        manifest: link images of the same manifest group.

    Returns:
        int [N]: for each image the position of its component's first member.
    """
    positions = images.index.get_indexer(pd.Index(near.ravel())).reshape(-1, 2)
    links = [_equal_pairs(images["sha256"]), positions[(positions >= 0).all(axis=1)]]
    if manifest:
        links.append(_equal_pairs(images["group"]))
    return first_connected(len(images), np.concatenate(links))


def _equal_pairs(keys: pd.Series) -> np.ndarray:
    """Pair every row with the first row of the same key, except where the key is ""."""
    _, first, inverse = np.unique(keys.to_numpy(str), return_index=True, return_inverse=True)
    pairs = np.stack([first[inverse], np.arange(len(keys))], axis=1)
    return pairs[keys.to_numpy(str) != ""]


def group_names(images: pd.DataFrame, component: np.ndarray) -> pd.Series:
    """Name each image's group: its only manifest group, else the id of its first path.

    ``images`` (id, group) is sorted by path.
    """
    manifest = images["group"].where(images["group"] != "").groupby(component)
    first_id = images["id"].groupby(component).transform("first")
    return first_id.where(manifest.transform("nunique") != 1, manifest.transform("first"))


def duplicate_counts(images: pd.DataFrame, near: np.ndarray) -> dict[str, int]:
    """Count the exact duplicates, and the near duplicates among different contents."""
    contents = images["sha256"].nunique()
    distinct = len(np.unique(components(images, near, manifest=False)))
    return {"exact": len(images) - contents, "near": contents - distinct}


def label_conflicts(images: pd.DataFrame) -> list[dict[str, list[str]]]:
    """Return paths and labels of each content that has more than one label."""
    disputed = images[images.groupby("sha256")["label"].transform("nunique") > 1]
    return [
        {"paths": list(same["path"]), "labels": sorted(same["label"].unique())}
        for _, same in disputed.groupby("sha256", sort=False)
    ]


def dominant_groups(images: pd.DataFrame, near: np.ndarray) -> list[str]:
    """Return a warning for each class that one group dominates: over a fifth and over 2 images.

    Args:
        images: columns path, label, sha256 and group.
        near: int [M, 2], the pairs of near duplicates by the index of ``images``.
    """
    duplicates = components(images, near, manifest=False)
    lines = []
    for label, mine in images.groupby("label"):
        sizes = mine["group"].value_counts()
        name, count = sizes.index[0], int(sizes.iloc[0])
        if count > max(2, len(mine) / 5):
            group = images["group"] == name
            path = images.loc[group & (images["label"] == label), "path"].iloc[0]
            has_near = len(set(duplicates[group])) < images.loc[group, "sha256"].nunique()
            advice = (
                "lower split.near_duplicate_distance (-1 compares content only) if they are "
                "different pictures"
                if has_near
                else "correct the manifest if they do not belong together"
            )
            lines.append(
                f"one group (copies, near duplicates or a group in the manifest) holds {count} of "
                f"the {len(mine)} images of class {label!r}, such as {path}, and goes to one split "
                f"as a whole; check its images, and {advice}"
            )
    return lines
