"""Describe the views of an image by which its traces are scored."""

import numpy as np
from PIL import Image

from twincam.forensics.detail import describe
from twincam.forensics.views import SCORING, cut_patch, finish, scaled

SCORE_VIEWS = 3


def scoring_views(image: Image.Image) -> np.ndarray:
    """Describe the views by which an image is scored: ``[SCORE_VIEWS,F]``.

    Where they lie is sampled in the same way for every image, whatever its name and the run's
    seed: a picture has one score.
    """
    rng = np.random.default_rng(0)
    whole = scaled(image, SCORING, rng)
    views = (finish(cut_patch(whole, rng), SCORING, rng) for _ in range(SCORE_VIEWS))
    return np.stack([describe(view) for view in views])
