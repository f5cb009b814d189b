"""Cells and pixels are each other's, whatever the size."""

import numpy as np

from twincam.explanations.maps import cells_of_pixels, pixels_of_cells


def test_cells_cover_their_share_of_the_image_and_no_pixel_twice() -> None:
    corner = np.zeros((1, 7, 7), bool)
    corner[0, 1, 6] = True
    square = pixels_of_cells(corner, 224)[0]
    assert square[32:64, 192:].all()
    assert square.sum() == 32 * 32
    each = np.eye(35, dtype=bool).reshape(35, 7, 5)
    squares = pixels_of_cells(each, 96)
    assert (squares.sum(axis=0) == 1).all()
    first = [int(rows.any(axis=1).argmax()) for rows in squares[::5]]
    assert first == [int(np.ceil(i * 96 / 7)) for i in range(7)]
    assert (cells_of_pixels(squares, 7, 5) == each).all()
