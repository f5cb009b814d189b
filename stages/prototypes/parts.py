"""Does a prototype show a single part? Measured where the parts of each image are known.

Purity: Nauta et al., PIP-Net (CVPR 2023). Consistency and stability: Huang et al., Evaluation and
Improvement of Interpretability for Self-Explainable Part-Prototype Networks (ICCV 2023). A
prototype contains a part if a fixed box around the centre of its best cell, 32 px at 224 as in
PIP-Net, holds any pixel of it; the receptive field may be larger. The background is not a part.
Each figure is reported with two untrained controls: ``constant``, the one cell that is best on
these same images, an optimistic value, and ``random``, random pixels of the cat.

Images N, prototypes P (live ones: the caller drops the others), cells ``[...,2]`` as row and
column, K parts.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from twincam.determinism import generator
from twincam.explanations.prototypes.best_cells import Matches
from twincam.explanations.prototypes.places import Field, nearest_cells
from twincam.statistics.estimates import beside

BOX = 32 / 224
"""Side of the box around a cell's centre, as a share of the image's side."""

NEAREST = 10
"""Patches, each of another image, that a prototype is evaluated by."""

CONSISTENT = 0.8
"""Share of images in which a consistent prototype contains one part (Huang et al.)."""

OFTEN = 0.5
"""A part counts for consistency if this share of the class's images shows it."""

DRAWS = 10
"""Repetitions that a random control is averaged over."""

Measure = Callable[[np.ndarray], np.ndarray]
"""Bool ``[N,P,K]``, the parts that prototypes contain, to a figure from 0 to 1 each, ``[P]``."""


def box_sums(masks: np.ndarray, field: Field, side: int) -> np.ndarray:
    """Return how many pixels of each mask lie in the box around each cell's centre, ``[N,h,w]``.

    Args:
        masks: bool ``[N,S,S]``.
        field: of the cells.
        side: of the box in pixels, cut at the image's border.
    """
    size = masks.shape[-1]
    filled = np.cumsum(np.cumsum(masks, axis=1, dtype=np.int32), axis=2, dtype=np.int32)
    filled = np.pad(filled, ((0, 0), (1, 0), (1, 0)))
    start = np.arange(field.cells) * field.stride + field.first - side // 2
    first, last = start.clip(0, size), (start + side).clip(0, size)
    bands = filled[:, last] - filled[:, first]
    return np.asarray(bands[:, :, last] - bands[:, :, first])


def contained_parts(parts: np.ndarray, field: Field) -> np.ndarray:
    """Return, bool ``[N,h,w,K]``, whether each cell's box holds each part.

    Args:
        parts: ``[N,S,S]``, 0 for the background and 1 to K for parts.
        field: of the cells.
    """
    side = round(BOX * parts.shape[-1])
    kinds = np.arange(1, parts.max() + 1)[:, None, None]
    held = [box_sums(one == kinds, field, side) > 0 for one in parts]
    return np.moveaxis(np.stack(held), 1, 3)


def at_cells(contained: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """Return, bool ``[N,P,K]``, what of ``contained`` ``[N,h,w,K]`` is at cells ``[N,P,2]``."""
    return np.asarray(contained[np.arange(len(cells))[:, None], cells[..., 0], cells[..., 1]])


def random_cells(
    cats: np.ndarray, count: int, field: Field, seed: int, *names: object
) -> np.ndarray:
    """Return the cells ``[N,count,2]`` of random pixels of ``cats``, bool ``[N,S,S]``.

    No cat may be empty.
    """
    rng = generator(seed, "cat pixels", *names)
    pixels = np.stack([rng.choice(np.flatnonzero(cat), count) for cat in cats])
    return nearest_cells(np.stack(np.divmod(pixels, cats.shape[-1]), axis=-1), field)


def purity(similar: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Return, ``[P]``, the largest share of a prototype's nearest patches that contain the same
    part.

    Args:
        similar: best cosine of each image and prototype ``[N,P]``; the `NEAREST` largest count, or
            all where there are fewer.
        inside: bool ``[N,P,K]``.
    """
    near = np.argsort(-similar, axis=0, kind="stable")[:NEAREST]
    return np.asarray(np.take_along_axis(inside, near[..., None], axis=0).mean(axis=0).max(axis=1))


def consistency(visible: np.ndarray, own: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Return, 0 or 1 ``[P]``, whether a prototype nearly always contains the same part.

    In at least `CONSISTENT` of the images of its class that show the part, which at least `OFTEN`
    of them do: a part in a single image would be consistent by chance.

    Args:
        visible: bool ``[N,K]``, whether an image shows a part.
        own: bool ``[N,P]``, whether an image is of a prototype's class.
        inside: bool ``[N,P,K]``.
    """
    shown = own.T.astype(int) @ visible.astype(int)
    share = (inside & own[..., None]).sum(axis=0) / np.maximum(shown, 1)
    often = (shown > 0) & (shown >= OFTEN * own.sum(axis=0)[:, None])
    return np.asarray((often & (share >= CONSISTENT)).any(axis=1), float)


def stability(own: np.ndarray, inside: np.ndarray, noised: np.ndarray) -> np.ndarray:
    """Return, ``[P]``, the share of images of its class in which a prototype's parts stay the same.

    Args:
        own: bool ``[N,P]``, whether an image is of a prototype's class; each has one.
        inside: bool ``[N,P,K]``, parts contained in the images as they are.
        noised: the same with Gaussian noise on them.
    """
    same = (inside == noised).all(axis=2)
    return np.asarray((same & own).sum(axis=0) / own.sum(axis=0))


class Prototypes(NamedTuple):
    """P prototypes and their best matches in N images, as they are and with noise on them.

    ``owner`` ``[P]`` is the class of each; ``noise_cells`` ``[N,P,2]`` are where the best cosines
    are with Gaussian noise on the images.
    """

    owner: np.ndarray
    matches: Matches
    noise_cells: np.ndarray


def part_figures(
    prototypes: Prototypes, parts: np.ndarray, labels: np.ndarray, field: Field, seed: int
) -> dict[str, Any]:
    """Return purity, consistency and stability with their controls and intervals.

    Means over prototypes with 95 % bootstrap intervals, ``<name>_constant``, ``<name>_random`` and
    the differences ``<name>_over_<control>``, paired by prototype. A constant cell is stable by
    construction, so stability alone shows nothing; a random pixel is chosen anew for the noised
    image. Images without known parts are skipped. ``parts_images`` is the number of the others,
    ``parts_prototypes`` that of the prototypes whose class is among them; these two alone where
    either is 0.

    Args:
        prototypes: the live ones.
        parts: ``[N,S,S]``, 0 for the background.
        labels: class indices ``[N]``.
        field: of the cells.
        seed: of random pixels and the bootstrap.
    """
    owner, matches, noise_cells = prototypes
    annotated = np.flatnonzero([part.any() for part in parts])
    live = np.isin(owner, labels[annotated])
    counts = {"parts_images": len(annotated), "parts_prototypes": int(live.sum())}
    if not live.any():
        return counts
    parts, own = parts[annotated], labels[annotated, None] == owner[live]
    contained = contained_parts(parts, field)
    inside, noised = (
        at_cells(contained, cells[annotated][:, live]) for cells in (matches.cells, noise_cells)
    )
    drawn, drawn_again = (
        [
            at_cells(contained, random_cells(parts > 0, own.shape[1], field, seed, name, draw))
            for draw in range(DRAWS)
        ]
        for name in ("clean", "noised")
    )
    measures: dict[str, Measure] = {
        "purity": partial(purity, matches.similarity[annotated][:, live]),
        "consistency": partial(consistency, np.asarray(contained.any(axis=(1, 2))), own),
    }
    found: dict[str, Any] = dict(counts)
    for name, measure in measures.items():
        controls = {
            "constant": best_constant(measure, contained, own.shape[1]),
            "random": np.mean([measure(draw) for draw in drawn], axis=0),
        }
        found |= beside(name, measure(inside), controls, seed)
    pairs = zip(drawn, drawn_again, strict=True)
    controls = {
        "constant": np.ones(own.shape[1]),
        "random": np.mean([stability(own, *pair) for pair in pairs], axis=0),
    }
    return found | beside("stability", stability(own, inside, noised), controls, seed)


def best_constant(measure: Measure, contained: np.ndarray, count: int) -> np.ndarray:
    """Return the figures ``[count]`` of prototypes that all lie at the cell best for their mean.

    Args:
        measure: of what they contain.
        contained: bool ``[N,h,w,K]``.
        count: of prototypes.
    """
    n, *_, kinds = contained.shape
    by_cell = contained.reshape(n, -1, kinds).swapaxes(0, 1)
    values = [measure(np.broadcast_to(cell[:, None], (n, count, kinds))) for cell in by_cell]
    return max(values, key=np.mean)
