"""The training images whose label is contradicted are shown, or a sentence."""

import numpy as np
import pandas as pd

from stages.panels.contradicted import contradicted_picture

TABLE = pd.DataFrame(
    {
        "id": ["d", "b"],
        "path": ["d.png", "b.png"],
        "label": ["real", "fake"],
        "predicted": ["fake", "real"],
        "p_label": [0.1, 0.4],
    }
)


def test_the_picture_shows_each_contradicted_image() -> None:
    images = np.zeros((4, 8, 8, 3), np.uint8)
    images[3] = (255, 0, 0)
    rows = pd.Series(range(4), index=list("abcd"))
    assert contradicted_picture(TABLE, images, rows).getpixel((60, 60)) == (255, 0, 0)
    assert contradicted_picture(TABLE.head(0), images, rows).height < 100
