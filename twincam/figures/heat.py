"""Evidence in colour over an image."""

import numpy as np
from PIL import Image

from twincam.explanations.maps import resize_map, shows_place
from twincam.figures.drawing import AGAINST, FOR


def heat_overlay(image: np.ndarray, heat: np.ndarray, scale: float) -> Image.Image:
    """Overlay signed evidence on an image: orange for the prediction, blue against it.

    Args:
        image: bytes ``[S,S,3]``; shown in grey so that all colour is evidence.
        heat: ``[h,w]``, signed; a map of a single cell has no location and is not drawn.
        scale: the evidence shown in full colour; above 0.
    """
    share = np.clip(resize_map(heat, len(image)) / scale, -1, 1)[..., None]
    grey = np.asarray(Image.fromarray(image).convert("L"), np.float32)[..., None] * 0.85 + 25
    colour = np.where(share > 0, FOR, AGAINST).astype(np.float32)
    alpha = 0.75 * np.abs(share) if shows_place(heat) else 0.0
    return Image.fromarray((grey * (1 - alpha) + colour * alpha).round().astype(np.uint8))
