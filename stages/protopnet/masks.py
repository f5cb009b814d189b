"""Do prototypes look at the cat, and at the defect, where masks say where these are?"""

from typing import Any

import numpy as np

from stages.protopnet.controls import beside
from stages.protopnet.parts import BOX, NEAREST, box_sums
from twincam.statistics.intervals import share_with_interval


def heat_figures(maps: np.ndarray, masks: np.ndarray, stride: int, seed: int) -> dict[str, Any]:
    """Return the share of the top prototype's activation that lies on the mask, beside controls.

    Activation is the cosine above the map's median: the zero of a cosine marks no absence. A cell
    counts by the share of it that the mask fills. Controls, each with the difference paired by
    image: ``area``, the mask's share of the image; ``other_image``, the maps of all other images on
    this mask, which know where masks are wont to lie; ``constant``, all activation in the one cell
    that masks fill most on average; ``random``, all in the cell of a random pixel of the mask, in
    expectation. Fewer than two known masks give ``on_mask_n`` alone.

    Args:
        maps: cosines of each image's top prototype, ``[N,h,w]``.
        masks: ``[N,S,S]``, of the whole cat (or what a user marked); empty where unknown.
        stride: of a cell in pixels.
        seed: of the bootstrap.
    """
    known = np.flatnonzero([mask.any() for mask in masks])
    if len(known) < 2:
        return {"on_mask_n": len(known)}
    maps, filled = maps[known], masks[known] > 0
    cell = np.maximum(box_sums(np.ones_like(filled[:1]), maps.shape[1:], stride, stride), 1)
    pixels = box_sums(filled, maps.shape[1:], stride, stride).reshape(len(maps), -1)
    covered = pixels / cell.reshape(1, -1)
    heat = maps.reshape(len(maps), -1).astype(float)
    heat = np.maximum(heat - np.median(heat, axis=1, keepdims=True), 0)
    share = heat / np.maximum(heat.sum(axis=1, keepdims=True), 1e-12)
    inside_of = covered @ share.T  # [mask, map]
    own = np.diag(inside_of)
    controls = {
        "area": filled.mean(axis=(1, 2)),
        "other_image": (inside_of.sum(axis=1) - own) / (len(own) - 1),
        "constant": covered[:, covered.mean(axis=0).argmax()],
        "random": (pixels * covered).sum(axis=1) / pixels.sum(axis=1),
    }
    return {"on_mask_n": len(known), **beside("on_mask", own, controls, seed)}


def family_prototypes(
    similar: np.ndarray,
    families: np.ndarray,
    rows: np.ndarray,
    source: np.ndarray,
    defects: np.ndarray,
    cats: np.ndarray,
    stride: int,
) -> dict[str, Any]:
    """Return which families of defects have a prototype that shows the defect.

    One whose source is an image of the family, with its box on the defect, and of whose `NEAREST`
    nearest images, its own source excepted, at least half are of the family. ``found`` is the share
    of families with Wilson's interval, ``found_n`` how many there are and ``found_count`` how many
    have one; ``found_random`` is the share to be expected with the same neighbours if each source
    were at a random pixel of its cat.

    Args:
        similar: best cosine of each training image and prototype, ``[N,P]``.
        families: of the training images, ``[N]``, "" for none.
        rows: of the training images, ``[N]``.
        source: row, cell row and cell column of each prototype's patch, ``[P,3]``.
        defects: masks of the sources' defects, ``[P,S,S]``, empty where there is none.
        cats: masks of the sources' cats, ``[P,S,S]``; where empty, the whole image.
        stride: of a cell in pixels.

    Returns:
        ``by_family`` too: ``n`` training images, the ``prototypes`` found, by position, and how
        many come ``from_family`` and lie ``on_defect``.
    """
    names = [str(name) for name in np.unique(families) if name != ""]
    if not names:
        return {"found_n": 0}
    itself = rows[:, None] == source[:, 0]
    near = np.argsort(np.where(itself, np.inf, -similar), axis=0, kind="stable")[:NEAREST]
    family = families[itself.argmax(axis=0)]
    shared = (families[near] == family).mean(axis=0) >= 0.5
    size = defects.shape[-1]
    shape = (-(-size // stride),) * 2
    reached = box_sums(defects > 0, shape, stride, round(BOX * size)) > 0
    on_defect = reached[np.arange(len(source)), source[:, 1], source[:, 2]]
    whole = np.where(cats.any(axis=(1, 2), keepdims=True), cats > 0, True)
    pixels = box_sums(whole, shape, stride, stride)
    by_chance = (reached * pixels).sum(axis=(1, 2)) / pixels.sum(axis=(1, 2))
    by_family, expected = {}, []
    for name in names:
        of = family == name
        by_family[name] = {
            "n": int((families == name).sum()),
            "from_family": int(of.sum()),
            "on_defect": int((of & on_defect).sum()),
            "prototypes": np.flatnonzero(of & on_defect & shared).tolist(),
        }
        expected.append(1 - np.prod(1 - by_chance[of & shared]))
    hits = np.array([bool(one["prototypes"]) for one in by_family.values()])
    return {
        "found_n": len(names),
        "found_count": int(hits.sum()),
        **share_with_interval("found", hits),
        "found_random": float(np.mean(expected)),
        "by_family": by_family,
    }
