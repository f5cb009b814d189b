"""Draw each prototype in its source image, beside the evaluated patches that resemble it most."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw

from stages.common.figures import FOR, INK, MUTED, PAPER, write_line

SOURCE, TILE, GAP, HEADER = 224, 120, 14, 56


@dataclass(frozen=True)
class Patch:
    """A place in an image: bytes ``[S,S,3]``, the cell's centre ``(y, x)``, what is said of it."""

    image: np.ndarray
    centre: tuple[int, int]
    similarity: float
    label: str


def draw_sheets(
    table: pd.DataFrame,
    images: np.ndarray,
    labels: pd.Series,
    similar: Sequence[Sequence[tuple[int, int, int, float]]],
    field: tuple[int, int],
) -> Iterator[Image.Image]:
    """Yield a sheet for each prototype.

    Args:
        table: of `stages.protopnet.quality.prototype_table`.
        images: bytes ``[N,S,S,3]``.
        labels: of the images, ``[N]``.
        similar: for each prototype row, cell row, cell column and cosine of its nearest patches.
        field: receptive field and stride of a cell in pixels.
    """
    width, stride = field
    for prototype, row in enumerate(table.to_dict("records")):
        source = Patch(images[row["row"]], (row["centre_y"], row["centre_x"]), 1.0, row["class"])
        nearest = [
            Patch(images[n], (cell_centre(y, stride), cell_centre(x, stride)), cosine, labels[n])
            for n, y, x, cosine in similar[prototype]
        ]
        points = row["points"]
        worth = f"gives up to {points:.2f} points" if points else "pruned: gives no points"
        title = f"Prototype {prototype}: {row['class']}"
        yield draw_sheet(title, f"{row['path']}   ·   {worth}", source, nearest, width)


def cell_centre(cell: int, stride: int) -> int:
    """Return the pixel at the centre of a cell."""
    return cell * stride + stride // 2


def field_box(centre: tuple[int, int], field: int, size: int) -> tuple[int, int, int, int]:
    """Return left, top, right, bottom of a receptive field, cut at the image's border."""
    (y, x), half = centre, field // 2
    return max(0, x - half), max(0, y - half), min(size, x + half + 1), min(size, y + half + 1)


def draw_sheet(
    title: str, detail: str, source: Patch, nearest: Sequence[Patch], field: int
) -> Image.Image:
    """Return one prototype's sheet.

    Args:
        title: its name and class.
        detail: where it comes from and what it is worth.
        source: the patch that it is.
        nearest: the patches that resemble it most, the most similar first.
        field: receptive field in pixels.
    """
    width = 3 * GAP + SOURCE + max(len(nearest), 4) * (TILE + 10)
    sheet = Image.new("RGB", (width, HEADER + SOURCE + 30 + GAP), PAPER)
    draw = ImageDraw.Draw(sheet)
    write_line(draw, (GAP, 10), title, width=width - 2 * GAP, size=17, bold=True)
    write_line(draw, (GAP, 33), detail, width=width - 2 * GAP, size=12, ink=MUTED)
    sheet.paste(_framed(source, field), (GAP, HEADER))
    caption = f"The prototype: a cell that sees {field} px (frame)"
    write_line(draw, (GAP, HEADER + SOURCE + 8), caption, width=SOURCE + 40, size=11)
    left = 2 * GAP + SOURCE
    heading = "Evaluated patches most like it"
    write_line(draw, (left, HEADER), heading, width=400, bold=True)
    for column, patch in enumerate(nearest):
        x, y = left + column * (TILE + 10), HEADER + 26
        box = field_box(patch.centre, field, len(patch.image))
        picture = Image.fromarray(patch.image).crop(box)
        picture.thumbnail((TILE, TILE), Image.Resampling.LANCZOS)
        scale = TILE / max(box[2] - box[0], box[3] - box[1])
        enlarged = (round((box[2] - box[0]) * scale), round((box[3] - box[1]) * scale))
        sheet.paste(picture.resize(enlarged, Image.Resampling.LANCZOS), (x, y))
        write_line(draw, (x, y + TILE + 6), patch.label, width=66, size=12, bold=True)
        similarity = f"{patch.similarity:.3f}"
        write_line(draw, (x + TILE - 46, y + TILE + 6), similarity, width=46, size=12)
    return sheet


def _framed(patch: Patch, field: int) -> Image.Image:
    size = len(patch.image)
    picture = Image.fromarray(patch.image).resize((SOURCE, SOURCE), Image.Resampling.LANCZOS)
    box = [round(edge * SOURCE / size) for edge in field_box(patch.centre, field, size)]
    outside = Image.blend(picture, Image.new("RGB", picture.size, PAPER), 0.45)
    left, top, right, bottom = box
    outside.paste(picture.crop((left, top, right, bottom)), (left, top))
    draw = ImageDraw.Draw(outside)
    draw.rectangle((left, top, right - 1, bottom - 1), outline=INK, width=3)
    draw.rectangle((left + 1, top + 1, right - 2, bottom - 2), outline=tuple(map(int, FOR)))
    return outside
