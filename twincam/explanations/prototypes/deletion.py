"""Images without the patch that a decision is based on: a square around it is blurred.

After the deletion test of Petsiuk, Das & Saenko (RISE, BMVC 2018), with one square.
"""

import numpy as np
from PIL import Image

from twincam.corruptions import blur
from twincam.explanations.prototypes.matches import best_similarities
from twincam.explanations.prototypes.network import PrototypeNet
from twincam.files.shards import Rows
from twincam.models.forward import BATCH, batches

SQUARE = 48 / 224
"""Side of the deleted square as a share of the image's side; below the receptive field."""


def square_side(size: int) -> int:
    """Return the side in pixels of the square deleted from an image of side ``size``."""
    return round(SQUARE * size)


def blur_squares(images: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Return ``images`` with one square each blurred by half its side, which leaves colour but no
    structure.

    Args:
        images: bytes ``[B,S,S,3]``.
        centres: pixels ``[B,2]`` in the middle of the squares, which are moved inside the images.
    """
    side = square_side(images.shape[1])
    corners = (centres - side // 2).clip(0, images.shape[1] - side)
    changed = np.array(images)
    for picture, (top, left) in zip(changed, corners, strict=True):
        square = np.s_[top : top + side, left : left + side]
        picture[square] = np.asarray(blur(Image.fromarray(picture), side / 2))[square]
    return changed


def similarities_without(
    net: PrototypeNet, images: Rows, rows: np.ndarray, centres: np.ndarray
) -> np.ndarray:
    """Return the best similarities ``[N,P]`` of ``images[rows]`` with one square each blurred.

    Args:
        net: the network.
        images: bytes ``[M,S,S,3]``, read a batch at a time.
        rows: of the images to change, ``[N]``.
        centres: as in `blur_squares`, ``[N,2]``.
    """
    found = [np.zeros((0, len(net.owner)), np.float32)]
    for part in batches(len(rows), BATCH):
        changed = blur_squares(images[rows[part]], centres[part])
        found.append(best_similarities(net, changed, np.arange(len(changed))))
    return np.concatenate(found)
