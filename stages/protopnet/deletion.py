"""Does the patch that a decision names matter to it? It is taken away, and the image judged again.

After the deletion test of Petsiuk, Das & Saenko (RISE, BMVC 2018), with one square.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from stages.protopnet.controls import beside_unbounded
from twincam.corruptions import blur
from twincam.determinism import generator

Judge = Callable[[np.ndarray], np.ndarray]
"""The network: bytes ``[B,S,S,3]`` to logits ``[B,K]``."""

SQUARE = 48 / 224
"""Side of the square that is deleted, in sides of the image; less than a cell sees."""

BATCH, DRAWS = 32, 3
"""Images judged at a time; random squares that a control is the mean of."""


def deletion_figures(
    judge: Judge,
    images: np.ndarray,
    rows: np.ndarray,
    cells: np.ndarray,
    cats: np.ndarray,
    stride: int,
    seed: int,
) -> dict[str, Any]:
    """Return what the predicted class's logit loses when the top prototype's patch is blurred.

    A square of `SQUARE` around the cell's centre, moved inside the image, is filled with the
    picture blurred by half the square's side: its colours without its forms. ``deletion`` is the
    mean loss over ``deletion_n`` images, ``deletion_random`` that of squares of the same size
    anywhere. As emptying the background costs little, ``deletion_with_cat`` holds the same figures
    for the images whose cat is known, with ``deletion_cat``, squares around random pixels of it.
    Controls are the mean of `DRAWS`, differences of logits paired by image. Costs 2 + `DRAWS`
    judgements an image, and `DRAWS` more with a cat; fewer than two images give ``deletion_n``
    alone.

    Args:
        judge: the network.
        images: bytes ``[M,S,S,3]``, read a batch at a time.
        rows: of the images to judge, ``[N]``.
        cells: of each one's top prototype, ``[N,2]``.
        cats: masks ``[N,S,S]``, empty where unknown.
        stride: of a cell in pixels.
        seed: of random squares and the bootstrap.
    """
    if len(rows) < 2:
        return {"deletion_n": len(rows)}
    size = images.shape[1]
    side = round(SQUARE * size)
    clean = _judged(judge, images, rows)
    predicted = clean.argmax(axis=1)

    def drop(some: np.ndarray, centres: np.ndarray) -> np.ndarray:
        corners = (centres - side // 2).clip(0, size - side)
        logits = _judged(judge, images, rows[some], corners, side)
        each = np.arange(len(some)), predicted[some]
        return np.asarray(clean[some, predicted[some]] - logits[each], float)

    def anywhere(some: np.ndarray, draw: int) -> np.ndarray:
        rng = generator(seed, "deletion anywhere", draw)
        return rng.integers(0, size - side + 1, (len(some), 2)) + side // 2

    def on_cat(some: np.ndarray, draw: int) -> np.ndarray:
        rng = generator(seed, "deletion on cat", draw)
        pixels = [rng.choice(np.flatnonzero(cats[n])) for n in some]
        return np.stack(np.divmod(pixels, size), axis=1)

    def mean_drop(some: np.ndarray, place: Callable[[np.ndarray, int], np.ndarray]) -> np.ndarray:
        return np.mean([drop(some, place(some, draw)) for draw in range(DRAWS)], axis=0)

    everyone = np.arange(len(rows))
    lost = drop(everyone, cells * stride + stride // 2)
    random = {"random": mean_drop(everyone, anywhere)}
    found: dict[str, Any] = {
        "deletion_n": len(rows),
        **beside_unbounded("deletion", lost, random, seed),
    }
    with_cat = np.flatnonzero([cat.any() for cat in cats])
    if len(with_cat) > 1:
        cat = {"cat": mean_drop(with_cat, on_cat)}
        found["deletion_with_cat"] = {
            "deletion_n": len(with_cat),
            **beside_unbounded("deletion", lost[with_cat], cat, seed),
        }
    return found


def blur_squares(images: np.ndarray, corners: np.ndarray, side: int) -> np.ndarray:
    """Return ``images`` with a square each blurred by half its side.

    Args:
        images: bytes ``[B,S,S,3]``.
        corners: top and left of the squares, ``[B,2]``, which lie inside the images.
        side: in pixels.
    """
    changed = images.copy()
    for picture, (top, left) in zip(changed, corners, strict=True):
        square = np.s_[top : top + side, left : left + side]
        picture[square] = np.asarray(blur(Image.fromarray(picture), side / 2))[square]
    return changed


def _judged(
    judge: Judge,
    images: np.ndarray,
    rows: np.ndarray,
    corners: np.ndarray | None = None,
    side: int = 0,
) -> np.ndarray:
    """Return the logits ``[N,K]`` of ``images[rows]``, the square at ``corners`` blurred if any."""
    found = []
    for start in range(0, len(rows), BATCH):
        batch = np.array(images[rows[start : start + BATCH]])
        if corners is not None:
            batch = blur_squares(batch, corners[start : start + BATCH], side)
        found.append(judge(batch))
    return np.concatenate(found)
