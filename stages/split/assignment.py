"""Assign images to splits: by a hash, or as the given split says, without its leaks."""

import numpy as np
import pandas as pd

from stages.split.groups import components, group_names
from stages.split.names import SPLITS
from stages.split.params import Split
from twincam.determinism import derived_seed
from twincam.files.errors import UserError


def divide(
    images: pd.DataFrame, given: bool, settings: Split, near: np.ndarray
) -> tuple[pd.DataFrame, list[dict[str, str]]]:
    """Group the images and assign each a split.

    Args:
        images: columns id, path, label, split, sha256, group ("" or the manifest's) and left_out
            (bool), indexed from 0. Those left out still link others and name their group, so
            leaving one out moves no other.
        given: keep the split that the images have and drop its leaks, instead of assigning one.
        settings: seed and fractions.
        near: int [M, 2], the pairs of near duplicates.

    Returns:
        The images that are kept, with split and group; and the leaks, as `find_leaks` returns them.
    """
    component = components(images, near)
    leaks = find_leaks(images, component, near) if given else []
    kept = ~images["path"].isin([leak["path"] for leak in leaks]).to_numpy()
    images, component = images[kept], component[kept]
    if not given:
        images = images.assign(split=assign(images, component, settings))
    images = images.assign(group=group_names(images, component))
    return images[~images["left_out"]], leaks


def assign(images: pd.DataFrame, component: np.ndarray, settings: Split) -> pd.Series:
    """Choose a split for each component by a hash of the seed and the component's key.

    The key is the smallest manifest group in the component, else the smallest sha256 among its
    images. It depends only on the component's own members, not on the order or the paths. So a new
    image moves no other image if it resembles none, copies one exactly, or joins a manifest group;
    one that merely resembles n others becomes their key, and may move them, with probability
    1 / (n + 1). The hash is uniform whatever the component's size, so the fractions hold in
    expectation for every label. Adding a test set takes images from train only.

    Images that are left out count in the key, but not among the labels of a split.

    If a class would be missing from a split, the component whose hash is nearest to that split's
    range moves there, see `_with_every_label`. Only then can a new image move one that it does not
    resemble: the moved component may return.

    Args:
        images: columns label, sha256, group ("" for none) and left_out.
        component: int [N], from `components`.
        settings: seed and fractions.

    Returns:
        "train", "val" or "test" for each image.
    """
    manifest = images["group"].where(images["group"] != "").groupby(component).transform("min")
    content = images["sha256"].groupby(component).transform("min")
    keys = manifest.fillna(content).groupby(component).first()
    hashed = keys.map(lambda key: derived_seed(settings.seed, "split", key) / 2.0**63)
    used = images["label"].mask(images["left_out"], "").groupby(component).agg(frozenset)
    labels = [own - {""} for own in used]
    split = _with_every_label(hashed.to_numpy(float), labels, _ranges(settings))
    return pd.Series(split[np.searchsorted(keys.index, component)], index=images.index)


def _ranges(settings: Split) -> dict[str, tuple[float, float]]:
    """Return the interval of [0, 1) that belongs to each split."""
    val, test = settings.val_fraction, settings.val_fraction + settings.test_fraction
    ranges = {"val": (0.0, val), "test": (val, test), "train": (test, 1.0)}
    return {name: (low, high) for name, (low, high) in ranges.items() if low < high}


def _with_every_label(
    hashed: np.ndarray, labels: list[frozenset[str]], ranges: dict[str, tuple[float, float]]
) -> np.ndarray:
    """Choose splits by ``hashed``, then move a few components so that every split has every label.

    A component moves only to a split that lacks one of its labels, from a split that still has
    every label without it.

    Args:
        hashed: float [C], 0 to 1.
        labels: of the images in each of the C components.
        ranges: the interval of [0, 1) that belongs to each split.
    """
    split = np.full(len(hashed), "", dtype=object)
    for name, (low, high) in ranges.items():
        split[(hashed >= low) & (hashed < high)] = name
    has_label = {
        label: np.array([label in own for own in labels])
        for label in sorted(frozenset().union(*labels))
    }
    for own in has_label.values():
        for name, (low, high) in ranges.items():
            if (own & (split == name)).any():
                continue
            movable = own.copy()
            for other in has_label.values():
                for source in ranges:
                    members = other & (split == source)
                    if members.sum() == 1:
                        movable &= ~members
            if movable.any():
                distance = np.maximum(low - hashed, hashed - high)
                split[np.where(movable, distance, np.inf).argmin()] = name
    return split


def find_leaks(
    images: pd.DataFrame, component: np.ndarray, near: np.ndarray
) -> list[dict[str, str]]:
    """Find the images of a given split whose component also has members in an earlier split.

    Args:
        images: columns path, split, sha256, group and left_out, sorted by path.
        component: int [N], from `components`.
        near: int [M, 2], the pairs of near duplicates behind the components.

    Returns:
        For each such image, which has to be dropped: path, split, copy_of (the path of the image
        in the earliest split that is linked to it most directly, the first of several) and kind:
        exact, near, manifest, or chain if the two are linked only through other images.
    """
    order = images["split"].map(SPLITS.index).mask(images["left_out"])
    first = order.groupby(component).transform("min")
    leaking, earliest = (order > first).to_numpy(), (order == first).to_numpy()
    linked = {frozenset(pair) for pair in near.tolist()}
    leaks = []
    for at in np.flatnonzero(leaking):
        kept = np.flatnonzero(earliest & (component == component[at]))
        is_near = np.array([frozenset((int(at), int(other))) in linked for other in kept])
        leak = {"path": images["path"].iloc[at], "split": images["split"].iloc[at]}
        leaks.append({**leak, **_cause(images.iloc[at], images.iloc[kept], is_near)})
    return leaks


def _cause(leak: pd.Series, kept: pd.DataFrame, is_near: np.ndarray) -> dict[str, str]:
    same_content = kept["sha256"].to_numpy() == leak["sha256"]
    same_group = (kept["group"].to_numpy() == leak["group"]) & (leak["group"] != "")
    links = {"exact": same_content, "near": is_near, "manifest": same_group}
    kind = next((name for name, link in links.items() if link.any()), "chain")
    at = links[kind].argmax() if kind in links else 0
    return {"copy_of": kept["path"].iloc[int(at)], "kind": kind}


def check_covered(images: pd.DataFrame, labels: list[str], splits: list[str], given: bool) -> None:
    """Raise UserError unless each of ``labels`` has an image in each of ``splits``."""
    for split in splits:
        for label in labels:
            mine = images[images["label"] == label]
            if (mine["split"] == split).any():
                continue
            if given:
                raise UserError(
                    f"class {label!r} has no usable image in {split}/ after skipping bad files, "
                    "leaving out what reviews.csv excludes and dropping leaks; add others there, "
                    "or lower split.near_duplicate_distance (-1 compares content only) if the "
                    "leaks are different pictures"
                )
            groups = mine["group"].nunique()
            advice = "add images"
            if groups < len(mine):
                advice += (
                    ", or check the groups (near duplicates and the manifest's) and lower "
                    "split.near_duplicate_distance (-1 compares content only) if they are "
                    "different pictures"
                )
            raise UserError(
                f"class {label!r} has no image in {split}; images: {len(mine)}, "
                f"independent groups: {groups}, needed: one each for {', '.join(splits)}; {advice}"
            )
