"""Draw each prototype in its source image, with the patches most similar to it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd
from PIL import Image, ImageDraw

from stages.prototypes.parts import BOX
from stages.prototypes.patches import Patch, cut_out
from stages.prototypes.run import Run
from stages.prototypes.table import NearestPatches
from twincam.explanations.prototypes.places import Field, cell_centre, field_box
from twincam.figures.drawing import FOR, INK, MUTED, PAPER, write_line
from twincam.figures.text import Face, fitted

SOURCE, TILE, GAP, SHOWN = 236, 104, 14, 5
LINE, HEADING, CAPTION = 18, 22, 22


def draw_sheets(
    table: pd.DataFrame,
    run: Run,
    nearest: Sequence[NearestPatches],
    field: Field,
) -> Iterator[Image.Image]:
    """Yield a sheet for each prototype.

    Args:
        table: of `stages.prototypes.table.prototype_table`.
        run: the images.
        nearest: the nearest training and evaluated patches.
        field: of the cells.
    """
    images, labels = run.images, run.split["label"]
    for prototype, row in enumerate(table.to_dict("records")):
        source = Patch(images[row["row"]], (row["centre_y"], row["centre_x"]), 1.0, row["class"])
        rows = []
        for kind, column, found in zip(("training", "evaluated"), _SHARES, nearest, strict=True):
            places = list(zip(*(part[prototype] for part in found), strict=True))
            share = f"{round(row[column] * len(places))} of {len(places)} are {row['class']}"
            patches = [
                Patch(images[n], cell_centre(cell, field), float(cosine), str(labels[n]))
                for n, cell, cosine in places[:SHOWN]
            ]
            rows.append((f"Nearest {kind} patches: {share}", patches))
        title = f"Prototype {prototype}: {row['class']}"
        yield draw_sheet(title, facts(row, images.shape[1]), source, rows, field.side)


_SHARES = ("train_share", "evaluated_share")


def facts(row: Mapping[Any, Any], size: int) -> list[str]:
    """Return the text about a prototype: its weight and origin, and what its patch lies on.

    Args:
        row: of `stages.prototypes.table.prototype_table`.
        size: side of the images in pixels.
    """
    if row["removed"]:
        weight = f"removed by a person: {row['removed']}"
    elif row["weight"]:
        weight = f"weight {row['weight']:.2f}"
    else:
        weight = "pruned: its weight is 0"
    lines = [
        f"{weight}   ·   {row['path']}",
        f"Half of the influence on its similarity lies within {row['effective_field']} px.",
    ]
    box = f"of the {round(BOX * size)} px around its centre"
    for what, share in (("mark", row["on_mark"]), ("known defect", row["on_defect"])):
        if share > 0:
            lines.append(f"Its patch lies on a {what} ({share:.0%} {box}).")
    if row["near_on_mark"] > 0:
        lines.append(f"{row['near_on_mark']:.0%} of its nearest training patches lie on a mark.")
    if row["peaks_on_mark"] > 0:
        lines.append(
            f"In {row['peaks_on_mark']:.0%} of the training images with a mark the mark is its "
            "best match."
        )
    return lines


def draw_sheet(
    title: str,
    lines: Sequence[str],
    source: Patch,
    rows: Sequence[tuple[str, Sequence[Patch]]],
    field: int,
) -> Image.Image:
    """Return one prototype's sheet.

    Args:
        title: its name and class.
        lines: the text about it.
        source: its patch.
        rows: headings, each with the patches most similar to it, the most similar first.
        field: receptive field in pixels.
    """
    width = 3 * GAP + SOURCE + SHOWN * (TILE + 10)
    header = 34 + len(lines) * LINE + 8
    band = HEADING + TILE + CAPTION + 6
    height = header + max(SOURCE + 28, len(rows) * band) + GAP
    sheet = Image.new("RGB", (width, height), PAPER)
    draw, room = ImageDraw.Draw(sheet), width - 2 * GAP
    write_line(draw, (GAP, 10), title, width=room, face=Face(17, bold=True))
    for number, line in enumerate(lines):
        ink = INK if number else MUTED
        write_line(draw, (GAP, 34 + number * LINE), line, width=room, face=Face(12), ink=ink)
    sheet.paste(_framed(source, field), (GAP, header))
    caption = f"frame: the receptive field, {field} px"
    write_line(draw, (GAP, header + SOURCE + 8), caption, width=SOURCE, face=Face(10))
    left = 2 * GAP + SOURCE
    labels = fitted(
        [patch.label for _, patches in rows for patch in patches], 58, Face(12, bold=True)
    )
    for number, (heading, patches) in enumerate(rows):
        top = header + number * band
        write_line(draw, (left, top), heading, width=width - left - GAP, face=Face(bold=True))
        for column, patch in enumerate(patches):
            x, y = left + column * (TILE + 10), top + HEADING
            sheet.paste(cut_out(patch, field, TILE), (x, y))
            label = labels[patch.label]
            write_line(draw, (x, y + TILE + 4), label, width=58, face=Face(12, bold=True))
            similarity = f"{patch.similarity:.3f}"
            write_line(draw, (x + TILE - 40, y + TILE + 4), similarity, width=46, face=Face(12))
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
