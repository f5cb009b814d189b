"""Do prototypes respond to the cat, and to the defect, where these have masks?"""

from typing import Any, NamedTuple

import numpy as np

from stages.prototypes.parts import BOX, NEAREST, box_sums
from twincam.explanations.localisation import energy_inside, of_other_images
from twincam.explanations.prototypes.places import Field
from twincam.statistics.estimates import beside, share


def heat_figures(maps: np.ndarray, masks: np.ndarray, field: Field, seed: int) -> dict[str, Any]:
    """Return the share of the top prototype's activation that lies on the mask, and controls.

    Activation is the cosine above the map's median, as a cosine of zero does not mean absence. A
    cell counts by the share of it that the mask fills. Controls, each with the difference paired by
    image: ``area``, the mask's share of the image; ``other_image``, the maps of all other images on
    this mask, which reflect where masks usually are; ``constant``, all activation in the one cell
    that masks fill most on average; ``random``, all in the cell of a random pixel of the mask, in
    expectation. With fewer than two known masks, only ``on_mask_n`` is given.

    Args:
        maps: cosines of each image's top prototype, ``[N,h,w]``.
        masks: ``[N,S,S]``, of the whole cat (or what a user marked); empty where unknown.
        field: of the cells.
        seed: of the bootstrap.
    """
    annotated = np.flatnonzero([mask.any() for mask in masks])
    if len(annotated) < 2:
        return {"on_mask_n": len(annotated)}
    maps, filled = maps[annotated], masks[annotated] > 0
    cell = np.maximum(box_sums(np.ones_like(filled[:1]), field, field.stride), 1)
    pixels = box_sums(filled, field, field.stride).reshape(len(maps), -1)
    covered = pixels / cell.reshape(1, -1)
    heat = maps.reshape(len(maps), -1).astype(float)
    inside_of = energy_inside(heat - np.median(heat, axis=1, keepdims=True), covered)
    own = np.diag(inside_of)
    controls = {
        "area": filled.mean(axis=(1, 2)),
        "other_image": of_other_images(inside_of),
        "constant": covered[:, covered.mean(axis=0).argmax()],
        "random": (pixels * covered).sum(axis=1) / pixels.sum(axis=1),
    }
    return {"on_mask_n": len(annotated), **beside("on_mask", own, controls, seed)}


class Sources(NamedTuple):
    """The prototypes' patches, and the masks of their images.

    ``patches`` ``[P,3]`` are row, cell row and cell column; ``defects`` ``[P,S,S]`` masks of the
    defects, empty where there is none; ``cats`` ``[P,S,S]`` those of the cats, empty where unknown:
    the whole image counts then.
    """

    patches: np.ndarray
    defects: np.ndarray
    cats: np.ndarray


def family_prototypes(
    similar: np.ndarray, families: np.ndarray, rows: np.ndarray, sources: Sources, field: Field
) -> dict[str, Any]:
    """Return which families of defects have a prototype that shows the defect.

    One whose source is an image of the family, with its box on the defect, and of whose `NEAREST`
    nearest images, excluding its own source, at least half are of the family. ``found`` is the
    share of families with Wilson's interval, ``found_n`` how many there are and ``found_count`` how
    many have one; ``found_random`` is the share to be expected with the same neighbours if each
    source were at a random pixel of its cat.

    Args:
        similar: best cosine of each training image and prototype, ``[N,P]``.
        families: of the training images, ``[N]``, "" for none.
        rows: of the training images, ``[N]``.
        sources: of the prototypes.
        field: of the cells.

    Returns:
        ``by_family`` too: ``n`` training images, the ``prototypes`` found, by position, and how
        many come ``from_family`` and lie ``on_defect``.
    """
    names = [str(name) for name in np.unique(families) if name != ""]
    if not names:
        return {"found_n": 0}
    patches, defects, cats = sources
    itself = rows[:, None] == patches[:, 0]
    near = np.argsort(np.where(itself, np.inf, -similar), axis=0, kind="stable")[:NEAREST]
    family = families[itself.argmax(axis=0)]
    shared = (families[near] == family).mean(axis=0) >= 0.5
    reached = box_sums(defects > 0, field, round(BOX * defects.shape[-1])) > 0
    on_defect = reached[np.arange(len(patches)), patches[:, 1], patches[:, 2]]
    whole = np.where(cats.any(axis=(1, 2), keepdims=True), cats > 0, True)
    pixels = box_sums(whole, field, field.stride)
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
        "found": share(hits),
        "found_random": float(np.mean(expected)),
        "by_family": by_family,
    }
