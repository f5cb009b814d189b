"""A square of an image is blurred, and nothing else."""

import numpy as np

from twincam.explanations.prototypes.deletion import blur_squares, square_side

SIZE = 56


def test_a_square_is_blurred_and_the_rest_stays() -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, SIZE, SIZE, 3), dtype=np.uint8)
    before, side = images.copy(), square_side(SIZE)
    changed = blur_squares(images, np.array([[-5, 3], [50, 26]]))
    outside = np.ones((2, SIZE, SIZE), bool)
    outside[0, :side, :side] = outside[1, 44:, 20 : 20 + side] = False
    assert np.array_equal(images, before)
    assert np.array_equal(changed[outside], images[outside])
    assert changed[~outside].std() < 0.3 * images[~outside].std()
