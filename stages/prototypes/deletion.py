"""Does the patch that a decision is based on matter? The loss in logit without it."""

from typing import Any, NamedTuple

import numpy as np

from twincam.statistics.estimates import beside_unbounded


class Drops(NamedTuple):
    """The predicted class's loss in logit when a square of the image is blurred.

    Of N images: ``top`` ``[N]`` around the top prototype's cell, ``anywhere`` ``[D,N]`` at random,
    ``on_cat`` ``[D,M]`` around random pixels of the cat, for the M images ``with_cat`` (positions)
    whose cat is known.
    """

    top: np.ndarray
    anywhere: np.ndarray
    with_cat: np.ndarray
    on_cat: np.ndarray


def logit_drops(clean: np.ndarray, without: np.ndarray) -> np.ndarray:
    """Return, ``[N]``, by how much the logit of the class predicted from ``clean`` is larger there.

    Args:
        clean: logits of the original images, ``[N,K]``.
        without: logits of the images with something removed, ``[N,K]``.
    """
    predicted = np.arange(len(clean)), clean.argmax(axis=1)
    return np.asarray(clean[predicted] - without[predicted], float)


def deletion_figures(drops: Drops, seed: int) -> dict[str, Any]:
    """Return the predicted class's loss in logit when the top prototype's patch is blurred.

    ``deletion`` is the mean loss over ``deletion_n`` images, ``deletion_random`` that of squares of
    the same size anywhere. As blurring the background costs little, ``deletion_with_cat`` holds the
    same figures for the images whose cat is known, with ``deletion_cat``, squares on it. Controls
    are means over repetitions, differences paired by image. With fewer than two images, only
    ``deletion_n`` is given.
    """
    n = len(drops.top)
    if n < 2:
        return {"deletion_n": n}
    anywhere = {"random": np.mean(drops.anywhere, axis=0)}
    found: dict[str, Any] = {
        "deletion_n": n,
        **beside_unbounded("deletion", drops.top, anywhere, seed),
    }
    if len(drops.with_cat) > 1:
        on_cat = {"cat": np.mean(drops.on_cat, axis=0)}
        found["deletion_with_cat"] = {
            "deletion_n": len(drops.with_cat),
            **beside_unbounded("deletion", drops.top[drops.with_cat], on_cat, seed),
        }
    return found
