"""Draw a decision: this looks like that, and what it adds up to."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw
from scipy.special import softmax

from stages.protopnet.decisions import Account, account, last_layer
from stages.protopnet.patches import COLOURS, Patch, cell_centre, cut_out, draw_frames
from stages.protopnet.scene import Scene
from stages.protopnet.training import Fitted
from twincam.figures.drawing import INK, MUTED, PAPER, write_line
from twincam.figures.text import font

BIG, TILE, GAP, LINE = 252, 84, 14, 20
TEXT = 290
HEADER, TITLE, CAPTION = 62, 24, 20
RIGHT, WRONG = (20, 110, 60), (176, 32, 32)


@dataclass(frozen=True)
class Prototype:
    """What is said of a prototype: its patch and the file that it comes from."""

    patch: Patch
    path: str


@dataclass(frozen=True)
class Reading:
    """What a panel shows of one image: bytes ``[S,S,3]``, its file, labels, and the accounts.

    The first account is the predicted class's; one more may follow.
    """

    image: np.ndarray
    path: str
    label: str
    predicted: str
    confidence: float
    accounts: Sequence[Account]


def draw_decisions(
    scene: Scene,
    fitted: Fitted,
    table: pd.DataFrame,
    field: tuple[int, int],
    shown: np.ndarray,
) -> Iterator[Image.Image]:
    """Yield each decision's panel: the account of the predicted class and, if wrong, the true one.

    Args:
        scene: the images.
        fitted: the network.
        table: of `stages.protopnet.prototypes.prototype_table`.
        field: receptive field and stride of a cell in pixels.
        shown: positions among the evaluated images.
    """
    prototypes = [
        Prototype(
            Patch(scene.images[one["row"]], (one["centre_y"], one["centre_x"]), 1.0, one["class"]),
            one["path"],
        )
        for one in table.to_dict("records")
    ]
    layer, confidence = last_layer(fitted.net), softmax(fitted.refitted, axis=1).max(axis=1)
    for n in shown:
        row = scene.split.iloc[scene.watched[n]]
        predicted, label = int(fitted.refitted[n].argmax()), int(scene.truth[n])
        accounts = [
            account(fitted.seen.similarity[n], fitted.seen.cells[n], layer, owner)
            for owner in dict.fromkeys((predicted, label))
        ]
        reading = Reading(
            scene.images[scene.watched[n]],
            row["path"],
            row["label"],
            scene.classes[predicted],
            float(confidence[n]),
            accounts,
        )
        yield draw_reading(reading, prototypes, scene.classes, field)


def draw_reading(
    reading: Reading,
    prototypes: Sequence[Prototype],
    classes: Sequence[str],
    field: tuple[int, int],
) -> Image.Image:
    """Return the panel of a decision: for each account the image, its patches and their sum.

    Args:
        reading: the decision.
        prototypes: all of them, ``P``.
        classes: the labels.
        field: receptive field and stride of a cell in pixels.
    """
    parts = [_header(reading, field[0])]
    for number, one in enumerate(reading.accounts):
        name = classes[one.owner]
        title = f"What the best prototypes of “{name}” saw" if number else f"Predicted: {name}"
        parts.append(_draw_account(reading.image, one, title, prototypes, classes, field))
    panel = Image.new("RGB", (parts[0].width, sum(part.height for part in parts)), PAPER)
    top = 0
    for part in parts:
        panel.paste(part, (0, top))
        top += part.height
    return panel


def _header(reading: Reading, width: int) -> Image.Image:
    header = Image.new("RGB", (BIG + 2 * TILE + TEXT + 5 * GAP, HEADER), PAPER)
    draw, room = ImageDraw.Draw(header), header.width - 2 * GAP
    right = reading.label == reading.predicted
    text = (
        f"Predicted {reading.predicted} ({reading.confidence:.0%}), labelled {reading.label}: "
        f"{'correct' if right else 'wrong'}"
    )
    ink = RIGHT if right else WRONG
    write_line(draw, (GAP, 10), text, width=room, size=16, bold=True, ink=ink)
    seen = f"frames and patches: the {width} px that a cell sees, its centre marked"
    detail = f"{reading.path}   ·   {seen}"
    write_line(draw, (GAP, 35), detail, width=room, size=12, ink=MUTED)
    return header


def _draw_account(
    image: np.ndarray,
    one: Account,
    title: str,
    prototypes: Sequence[Prototype],
    classes: Sequence[str],
    field: tuple[int, int],
) -> Image.Image:
    width, stride = field
    sums = _sums(one, classes[one.owner])
    rows = len(one.terms) * (TILE + 8) + 6 + len(sums) * LINE
    height = TITLE + CAPTION + max(BIG, rows) + GAP
    strip = Image.new("RGB", (BIG + 2 * TILE + TEXT + 5 * GAP, height), PAPER)
    draw = ImageDraw.Draw(strip)
    write_line(draw, (GAP, 0), title, width=strip.width - 2 * GAP, bold=True)
    centres = [cell_centre(term.cell, stride) for term in one.terms]
    strip.paste(draw_frames(image, centres, width, BIG), (GAP, TITLE + CAPTION))
    here, there, text = (2 * GAP + BIG + shift for shift in (0, TILE + 8, 2 * (TILE + 8) + 6))
    write_line(draw, (here, TITLE), "this …", width=TILE, size=12, ink=MUTED)
    write_line(draw, (there, TITLE), "… looks like that", width=TILE + 60, size=12, ink=MUTED)
    top = TITLE + CAPTION
    for number, (term, centre) in enumerate(zip(one.terms, centres, strict=True), 1):
        prototype, colour = prototypes[term.prototype], COLOURS[number - 1]
        for left, patch in ((here, Patch(image, centre, 1.0, "")), (there, prototype.patch)):
            strip.paste(cut_out(patch, width, TILE), (left, top))
            draw.rectangle((left, top, left + TILE - 1, top + TILE - 1), outline=colour, width=2)
        sum_of = f"{term.similarity:.3f} × {term.weight:.3f} = {term.points:.3f} points"
        write_line(draw, (text, top + 14), sum_of, width=TEXT, bold=True)
        said = f"{number}: prototype {term.prototype}, {prototype.patch.label}"
        write_line(draw, (text, top + 36), said, width=TEXT, size=12)
        write_line(draw, (text, top + 54), prototype.path, width=TEXT, size=12, ink=MUTED)
        top += TILE + 8
    draw.line((here, top, strip.width - GAP, top), fill=MUTED)
    for number, (what, value) in enumerate(sums):
        last = number == len(sums) - 1
        y = top + 6 + number * LINE
        write_line(draw, (here, y), what, width=2 * TILE + TEXT - 100, bold=last, ink=INK)
        edge = (strip.width - 2 * GAP, y)
        draw.text(edge, f"{value:.3f}", font=font(13, bold=last), fill=INK, anchor="ra")
    return strip


def _sums(one: Account, name: str) -> list[tuple[str, float]]:
    return [
        ("these", sum(term.points for term in one.terms)),
        (f"{one.others} other prototypes of “{name}”", one.others_points),
        ("bias", one.bias),
        (f"logit of “{name}”", one.logit),
    ]
