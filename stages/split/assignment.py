"""Who trains and who judges: a hash decides, or the given split less its leaks."""

import numpy as np
import pandas as pd

from stages.common.determinism import derived_seed
from stages.common.errors import UserError
from stages.split.groups import bits_apart, components, group_names
from stages.split.listing import SPLITS
from stages.split.params import Split


def divide(
    images: pd.DataFrame, given: bool, settings: Split
) -> tuple[pd.DataFrame, list[dict[str, str]]]:
    """Group the images and settle the split of each.

    Args:
        images: columns id, path, split, sha256, phash and group ("" or the manifest's).
        given: keep the split that is there and drop its leaks, instead of drawing one.
        settings: seed, fractions, distance.

    Returns:
        The images that stay, with split and group; and the leaks, as `find_leaks` gives them.
    """
    component = components(images, settings.near_duplicate_distance)
    if not given:
        images = images.assign(split=assign(images, component, settings))
        return images.assign(group=group_names(images, component)), []
    leaks = find_leaks(images, component, settings.near_duplicate_distance)
    stays = ~images["path"].isin([leak["path"] for leak in leaks]).to_numpy()
    images, component = images[stays], component[stays]
    return images.assign(group=group_names(images, component)), leaks


def assign(images: pd.DataFrame, component: np.ndarray, settings: Split) -> pd.Series:
    """Draw a split for each component by a hash of the seed and the component's key.

    The key is the least manifest group in the component, else the least sha256 among its images:
    nothing but the component's own members counts, not the order nor the paths. So an image that
    is like no other moves none; a copy of an image moves none; a merely similar image becomes the
    key of its n fellows, and may move them, with probability 1 / (n + 1); a member more in a
    manifest group moves none. Each draw is uniform whatever the component's size, so the fractions
    hold in expectation for every label. Adding a test set takes images from train only.

    Args:
        images: columns sha256 and group ("" for none).
        component: int [N], from `components`.
        settings: seed and fractions.

    Returns:
        "train", "val" or "test" for each image.
    """
    manifest = images["group"].where(images["group"] != "").groupby(component).transform("min")
    content = images["sha256"].groupby(component).transform("min")
    draw = manifest.fillna(content).map(lambda key: derived_seed(settings.seed, "split", key))
    edges = np.cumsum([settings.val_fraction, settings.test_fraction])
    drawn = np.searchsorted(edges, draw.to_numpy(np.float64) / 2.0**63, side="right")
    return pd.Series(np.array(["val", "test", "train"])[drawn], index=images.index)


def find_leaks(images: pd.DataFrame, component: np.ndarray, distance: int) -> list[dict[str, str]]:
    """Find the images of a given split whose component has members in an earlier split.

    Args:
        images: columns path, split, sha256, phash and group, sorted by path.
        component: int [N], from `components`.
        distance: the one that made the components.

    Returns:
        For each such image, which has to go: path, split, because_of (the path of the image of the
        earliest split that is most like it) and kind: exact, near, manifest, or chain where the
        two are linked through others only.
    """
    order = images["split"].map(SPLITS.index)
    leaking = (order > order.groupby(component).transform("min")).to_numpy()
    leaks = []
    for at in np.flatnonzero(leaking):
        staying = images[~leaking & (component == component[at])]
        leak = images.iloc[at]
        place = {"path": leak["path"], "split": leak["split"]}
        leaks.append({**place, **_cause(leak, staying, distance)})
    return leaks


def _cause(leak: pd.Series, staying: pd.DataFrame, distance: int) -> dict[str, str]:
    same = staying["sha256"].to_numpy() == leak["sha256"]
    together = (staying["group"].to_numpy() == leak["group"]) & (leak["group"] != "")
    differing = bits_apart(staying["phash"].to_numpy(np.uint64), np.array(leak["phash"], np.uint64))
    if same.any():
        kind, at = "exact", same.argmax()
    elif differing.min() <= distance:
        kind, at = "near", differing.argmin()
    elif together.any():
        kind, at = "manifest", together.argmax()
    else:
        kind, at = "chain", np.intp(0)
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
                    "are left out; add others there"
                )
            raise UserError(
                f"class {label!r} got no image in {split}: {len(mine)} images in "
                f"{mine['group'].nunique()} groups are too few for these fractions; add images, or "
                "change split.val_fraction, split.test_fraction or split.seed"
            )
