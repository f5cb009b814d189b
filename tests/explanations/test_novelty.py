"""An image is unlike anything seen if each training image has a nearer one than it has."""

import numpy as np

from twincam.explanations.twins.novelty import is_unlike, quantiles


def test_the_quantile_is_the_share_of_training_images_that_are_nearer() -> None:
    shares = quantiles(np.array([0.0, 0.1, 0.2, 0.5]), np.array([0.3, 0.1, 0.1]))
    assert shares.tolist() == [0, 0, 2 / 3, 1]
    assert [is_unlike(share) for share in shares] == [False, False, False, True]


def test_what_differs_by_rounding_only_is_as_near() -> None:
    known = np.array([0.25, 0.5, 0.75]) + 1e-3
    assert quantiles(known + 2e-7, known.astype(np.float32)).tolist() == [0, 1 / 3, 2 / 3]
