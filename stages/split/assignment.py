"""Who trains and who is evaluated: a hash decides, or the given split less its leaks."""

import numpy as np
import pandas as pd

from stages.split.groups import components, group_names
from stages.split.layout import SPLITS
from stages.split.params import Split
from twincam.determinism import derived_seed
from twincam.files.errors import UserError


def divide(
    images: pd.DataFrame, given: bool, settings: Split, near: np.ndarray
) -> tuple[pd.DataFrame, list[dict[str, str]]]:
    """Group the images and settle the split of each.

    Args:
        images: columns id, path, label, split, sha256 and group ("" or the manifest's), indexed
            from 0.
        given: keep the split that is there and drop its leaks, instead of assigning one.
        settings: seed and fractions.
        near: int [M, 2], the pairs of near duplicates.

    Returns:
        The images that stay, with split and group; and the leaks, as `find_leaks` gives them.
    """
    component = components(images, near)
    if not given:
        images = images.assign(split=assign(images, component, settings))
        return images.assign(group=group_names(images, component)), []
    leaks = find_leaks(images, component, near)
    stays = ~images["path"].isin([leak["path"] for leak in leaks]).to_numpy()
    images, component = images[stays], component[stays]
    return images.assign(group=group_names(images, component)), leaks


def assign(images: pd.DataFrame, component: np.ndarray, settings: Split) -> pd.Series:
    """Choose a split for each component by a hash of the seed and the component's key.

    The key is the least manifest group in the component, else the least sha256 among its images:
    nothing but the component's own members counts, not the order nor the paths. So an image that
    is like no other moves none; a copy of an image moves none; a merely similar image becomes the
    key of its n fellows, and may move them, with probability 1 / (n + 1); a member more in a
    manifest group moves none. The hash is uniform whatever the component's size, so the fractions
    hold in expectation for every label. Adding a test set takes images from train only.

    A class that would be missing from a split borrows the component whose hash is nearest to it,
    see `_with_every_label`. Only there can an unlike new image move another: it may return what
    was borrowed.

    Args:
        images: columns label, sha256 and group ("" for none).
        component: int [N], from `components`.
        settings: seed and fractions.

    Returns:
        "train", "val" or "test" for each image.
    """
    manifest = images["group"].where(images["group"] != "").groupby(component).transform("min")
    content = images["sha256"].groupby(component).transform("min")
    keys = manifest.fillna(content).groupby(component).first()
    hashed = keys.map(lambda key: derived_seed(settings.seed, "split", key) / 2.0**63)
    labels = images["label"].groupby(component).agg(frozenset)
    split = _with_every_label(hashed.to_numpy(float), labels.tolist(), _ranges(settings))
    return pd.Series(split[np.searchsorted(keys.index, component)], index=images.index)


def _ranges(settings: Split) -> dict[str, tuple[float, float]]:
    """Return the part of [0, 1) that belongs to each split."""
    val, test = settings.val_fraction, settings.val_fraction + settings.test_fraction
    ranges = {"val": (0.0, val), "test": (val, test), "train": (test, 1.0)}
    return {name: (low, high) for name, (low, high) in ranges.items() if low < high}


def _with_every_label(
    hashed: np.ndarray, labels: list[frozenset[str]], ranges: dict[str, tuple[float, float]]
) -> np.ndarray:
    """Choose a split by ``hashed``; then move as few components as give every split every label.

    A component moves only to a split that lacks one of its labels, from one that keeps them all.

    Args:
        hashed: float [C], 0 to 1.
        labels: of the images in each of the C components.
        ranges: what part of [0, 1) belongs to each split.
    """
    split = np.full(len(hashed), "", dtype=object)
    for name, (low, high) in ranges.items():
        split[(hashed >= low) & (hashed < high)] = name
    holding = {
        label: np.array([label in own for own in labels])
        for label in sorted(frozenset().union(*labels))
    }
    for own in holding.values():
        for name, (low, high) in ranges.items():
            if (own & (split == name)).any():
                continue
            spare = own.copy()
            for other in holding.values():
                for place in ranges:
                    there = other & (split == place)
                    if there.sum() == 1:
                        spare &= ~there
            if spare.any():
                distance = np.maximum(low - hashed, hashed - high)
                split[np.where(spare, distance, np.inf).argmin()] = name
    return split


def find_leaks(
    images: pd.DataFrame, component: np.ndarray, near: np.ndarray
) -> list[dict[str, str]]:
    """Find the images of a given split whose component has members in an earlier split.

    Args:
        images: columns path, split, sha256 and group, sorted by path.
        component: int [N], from `components`.
        near: int [M, 2], the pairs of near duplicates that made the components.

    Returns:
        For each such image, which has to go: path, split, because_of (the path of the first image
        of the earliest split that is linked to it most directly) and kind: exact, near, manifest,
        or chain where the two are linked through others only.
    """
    order = images["split"].map(SPLITS.index)
    leaking = (order > order.groupby(component).transform("min")).to_numpy()
    linked = {frozenset(pair) for pair in near.tolist()}
    leaks = []
    for at in np.flatnonzero(leaking):
        staying = np.flatnonzero(~leaking & (component == component[at]))
        near_ones = np.array([frozenset((int(at), int(other))) in linked for other in staying])
        place = {"path": images["path"].iloc[at], "split": images["split"].iloc[at]}
        leaks.append({**place, **_cause(images.iloc[at], images.iloc[staying], near_ones)})
    return leaks


def _cause(leak: pd.Series, staying: pd.DataFrame, near: np.ndarray) -> dict[str, str]:
    same = staying["sha256"].to_numpy() == leak["sha256"]
    together = (staying["group"].to_numpy() == leak["group"]) & (leak["group"] != "")
    links = {"exact": same, "near": near, "manifest": together}
    kind = next((name for name, link in links.items() if link.any()), "chain")
    at = links[kind].argmax() if kind in links else 0
    return {"because_of": staying["path"].iloc[int(at)], "kind": kind}


def check_covered(images: pd.DataFrame, labels: list[str], splits: list[str], given: bool) -> None:
    """Raise UserError unless each of ``labels`` has an image in each of ``splits``."""
    for split in splits:
        for label in labels:
            mine = images[images["label"] == label]
            if (mine["split"] == split).any():
                continue
            if given:
                raise UserError(
                    f"class {label!r} has no usable image in {split}/ once bad files and leaks "
                    "are left out; add others there, or lower split.near_duplicate_distance (-1 "
                    "compares content only) if the leaks are different pictures"
                )
            groups = mine["group"].nunique()
            cure = "add images"
            if groups < len(mine):
                cure += (
                    ", or look at the groups (near duplicates and the manifest's) and lower "
                    "split.near_duplicate_distance (-1 compares content only) if they are "
                    "different pictures"
                )
            raise UserError(
                f"class {label!r} has no image in {split}; images: {len(mine)}, "
                f"independent groups: {groups}, needed: one each for {', '.join(splits)}; {cure}"
            )
