"""Draw the training images whose label is contradicted."""

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw

from twincam.figures.drawing import MUTED, PAPER, text_picture, write_line
from twincam.figures.text import Face, fitted
from twincam.files.shards import Rows

TILE, GAP, COLUMNS, SHOWN = 200, 14, 5, 20
NAME = 80


def contradicted_picture(table: pd.DataFrame, images: Rows, rows: pd.Series) -> Image.Image:
    """Draw the first images of ``reports/contradicted.csv``, with label and prediction.

    Args:
        table: ``id, path, label, predicted, p_label``, the worst first.
        images: bytes ``[N,S,S,3]``.
        rows: the row of each image, by id.
    """
    shown = table.head(SHOWN)
    if shown.empty:
        return text_picture("No label is contradicted by the out-of-fold models.")
    height = TILE + 58
    lines = -(-len(shown) // COLUMNS)
    across = min(COLUMNS, len(shown))
    picture = Image.new("RGB", (across * (TILE + GAP) + GAP, lines * (height + GAP) + GAP), PAPER)
    draw = ImageDraw.Draw(picture)
    names = fitted([*shown["label"], *shown["predicted"]], NAME)
    for place, case in enumerate(shown.to_dict("records")):
        left = GAP + place % COLUMNS * (TILE + GAP)
        top = GAP + place // COLUMNS * (height + GAP)
        square = Image.fromarray(np.asarray(images[rows[case["id"]]]))
        picture.paste(square.resize((TILE, TILE), Image.Resampling.LANCZOS), (left, top))
        label = f"labelled {names[case['label']]}: {100 * case['p_label']:.1f} %"
        write_line(draw, (left, top + TILE + 6), label, width=TILE, face=Face(bold=True))
        write_line(
            draw, (left, top + TILE + 24), f"predicted {names[case['predicted']]}", width=TILE
        )
        write_line(
            draw, (left, top + TILE + 40), case["path"], width=TILE, face=Face(11), ink=MUTED
        )
    return picture
